//! Optimizers: how a model's is set up, and the constants of one step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::InvalidValue;

/// Constants of one Adam step with decoupled weight decay. All are sent with every step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct AdamParams {
    /// Step size, 0 or more. Default 1e-4. With 0 a step changes nothing but the moments.
    pub learning_rate: f64,
    /// Decay of the first moment, in 0..1. Default 0.9.
    pub beta1: f64,
    /// Decay of the second moment, in 0..1. Default 0.95.
    pub beta2: f64,
    /// Added to the root of the second moment against division by zero, above 0. Default 1e-12.
    pub eps: f64,
    /// Decoupled weight decay: each step takes `learning_rate * weight_decay` of each weight away. Default 0.
    pub weight_decay: f64,
    /// Largest L2 norm of all gradients together; larger ones are scaled down to it. Default 0, which means no clipping.
    pub grad_clip_norm: f64,
}

impl Default for AdamParams {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-12,
            weight_decay: 0.0,
            grad_clip_norm: 0.0,
        }
    }
}

impl AdamParams {
    /// Default constants with this step size.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            ..Self::default()
        }
    }

    /// Sets [`Self::weight_decay`].
    #[must_use]
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Sets [`Self::grad_clip_norm`].
    #[must_use]
    pub fn with_grad_clip_norm(mut self, grad_clip_norm: f64) -> Self {
        self.grad_clip_norm = grad_clip_norm;
        self
    }

    /// Sets [`Self::beta1`] and [`Self::beta2`].
    #[must_use]
    pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// The first constant outside its range.
    pub fn check(&self) -> Result<(), InvalidValue> {
        let at_least_0 = [
            ("learning_rate", self.learning_rate),
            ("eps", self.eps),
            ("weight_decay", self.weight_decay),
            ("grad_clip_norm", self.grad_clip_norm),
        ];
        for (name, value) in at_least_0 {
            if !value.is_finite() || value < 0.0 {
                return Err(InvalidValue::new(
                    name,
                    format!("is {value}; it is a finite number, 0 or more"),
                ));
            }
        }
        for (name, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&value) {
                return Err(InvalidValue::new(
                    name,
                    format!("is {value}; it lies in 0..1"),
                ));
            }
        }
        Ok(())
    }
}

/// Constants of one step of the Dimuon family.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DimuonParams {
    /// Step size, 0 or more.
    pub learning_rate: f64,
    /// Largest global gradient norm. Default 0, which means no clipping.
    #[serde(default)]
    pub grad_clip_norm: f64,
    /// Momentum in 0..1. Default 0.9.
    #[serde(default = "momentum")]
    pub beta1: f64,
}

fn momentum() -> f64 {
    0.9
}

impl DimuonParams {
    /// Default constants with this step size.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            grad_clip_norm: 0.0,
            beta1: momentum(),
        }
    }
}

/// A family this version does not know: its `type` and whatever fields it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenFamily {
    /// Name of the family.
    #[serde(rename = "type")]
    pub family: String,
    /// Its fields.
    #[serde(flatten)]
    pub fields: BTreeMap<String, Value>,
}

/// The optimizer a model is created with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "OpenFamily", into = "OpenFamily")]
#[non_exhaustive]
pub enum OptimizerConfig {
    /// Adam with decoupled weight decay.
    #[default]
    AdamW,
    /// Dimuon, with its version.
    Dimuon {
        /// Version of the algorithm.
        version: u64,
    },
    /// Any other family.
    Other(OpenFamily),
}

impl From<OpenFamily> for OptimizerConfig {
    fn from(open: OpenFamily) -> Self {
        match (
            open.family.as_str(),
            open.fields.get("version").and_then(Value::as_u64),
        ) {
            ("adamw", _) => Self::AdamW,
            ("dimuon", Some(version)) if open.fields.len() == 1 => Self::Dimuon { version },
            _ => Self::Other(open),
        }
    }
}

impl From<OptimizerConfig> for OpenFamily {
    fn from(config: OptimizerConfig) -> Self {
        match config {
            OptimizerConfig::AdamW => Self {
                family: "adamw".into(),
                fields: BTreeMap::new(),
            },
            OptimizerConfig::Dimuon { version } => Self {
                family: "dimuon".into(),
                fields: BTreeMap::from([("version".into(), version.into())]),
            },
            OptimizerConfig::Other(open) => open,
        }
    }
}

/// The constants of one step, for the model's optimizer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum OptimParams {
    /// Adam.
    Adam(AdamParams),
    /// Dimuon.
    Dimuon(DimuonParams),
    /// Any other family.
    Other(OpenFamily),
}

impl From<AdamParams> for OptimParams {
    fn from(params: AdamParams) -> Self {
        Self::Adam(params)
    }
}

impl From<DimuonParams> for OptimParams {
    fn from(params: DimuonParams) -> Self {
        Self::Dimuon(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_families_are_kept() {
        for json in [
            r#"{"type":"adamw"}"#,
            r#"{"type":"dimuon","version":1}"#,
            r#"{"type":"lion","a":1}"#,
        ] {
            let config: OptimizerConfig = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&config).unwrap(), json);
        }
    }
}
