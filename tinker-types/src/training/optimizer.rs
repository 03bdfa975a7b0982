//! Optimizers of models, and the parameters of one step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::InvalidValue;

/// Parameters of one Adam step with decoupled weight decay. All are sent with every step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct AdamParams {
    /// Learning rate, 0 or more. Default 1e-4. With 0 a step changes only the moments.
    pub learning_rate: f64,
    /// Decay of the first moment, in 0..1. Default 0.9.
    pub beta1: f64,
    /// Decay of the second moment, in 0..1. Default 0.95.
    pub beta2: f64,
    /// Added to the square root of the second moment to avoid division by zero, above 0. Default 1e-12.
    pub eps: f64,
    /// Decoupled weight decay: each step subtracts `learning_rate * weight_decay` of each weight. Default 0.
    pub weight_decay: f64,
    /// Largest global L2 norm of the gradients; larger gradients are scaled down. Default 0, which disables clipping.
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
    /// Default parameters with this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            ..Self::default()
        }
    }

    crate::setters! {
        /// Sets [`Self::eps`].
        with_eps(eps: f64) => eps = eps;

        /// Sets [`Self::weight_decay`].
        with_weight_decay(weight_decay: f64) => weight_decay = weight_decay;

        /// Sets [`Self::grad_clip_norm`].
        with_grad_clip_norm(grad_clip_norm: f64) => grad_clip_norm = grad_clip_norm;
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
    /// The first parameter outside its range.
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

/// Parameters of one Dimuon step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DimuonParams {
    /// Learning rate, 0 or more.
    pub learning_rate: f64,
    /// Largest global norm of the gradients. Default 0, which disables clipping.
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
    /// Default parameters with this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            grad_clip_norm: 0.0,
            beta1: momentum(),
        }
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn check(&self) -> Result<(), InvalidValue> {
        let wrong = |name, why: String| Err(InvalidValue::new(name, why));
        if !self.learning_rate.is_finite() || self.learning_rate < 0.0 {
            let why = format!(
                "is {}; it is a finite number, 0 or more",
                self.learning_rate
            );
            return wrong("learning_rate", why);
        }
        if !self.grad_clip_norm.is_finite() {
            let why = format!("is {}; it is a finite number", self.grad_clip_norm);
            return wrong("grad_clip_norm", why);
        }
        if !(0.0..1.0).contains(&self.beta1) {
            return wrong("beta1", format!("is {}; it lies in 0..1", self.beta1));
        }
        Ok(())
    }
}

/// An optimizer this version does not have: its `type` and its other fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnknownOptimizer {
    /// Name of the optimizer.
    #[serde(rename = "type")]
    pub family: String,
    /// Other fields.
    #[serde(flatten)]
    pub fields: BTreeMap<String, Value>,
}

/// Optimizer of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "UnknownOptimizer", into = "UnknownOptimizer")]
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
    /// Any other optimizer.
    Other(UnknownOptimizer),
}

impl From<UnknownOptimizer> for OptimizerConfig {
    fn from(open: UnknownOptimizer) -> Self {
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

impl From<OptimizerConfig> for UnknownOptimizer {
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

/// Parameters of one step, for the optimizer of the model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum OptimParams {
    /// Adam.
    Adam(AdamParams),
    /// Dimuon.
    Dimuon(DimuonParams),
    /// Any other optimizer.
    Other(UnknownOptimizer),
}

impl OptimParams {
    /// Checks ranges. The fields of unknown optimizers have none.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn check(&self) -> Result<(), InvalidValue> {
        match self {
            Self::Adam(params) => params.check(),
            Self::Dimuon(params) => params.check(),
            Self::Other(_) => Ok(()),
        }
    }
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

    #[test]
    fn settings_of_dimuon_have_ranges() {
        let message = |change: fn(&mut DimuonParams)| {
            let mut params = DimuonParams::new(0.02);
            change(&mut params);
            OptimParams::from(params)
                .check()
                .map_err(|error| error.to_string())
        };
        assert_eq!(message(|_| ()), Ok(()));
        assert_eq!(message(|params| params.grad_clip_norm = -1.0), Ok(()));
        for (change, name) in [
            (
                (|params| params.learning_rate = -0.1) as fn(&mut DimuonParams),
                "learning_rate: is -0.1",
            ),
            (
                |params| params.learning_rate = f64::NAN,
                "learning_rate: is NaN",
            ),
            (
                |params| params.grad_clip_norm = f64::INFINITY,
                "grad_clip_norm: is inf",
            ),
            (|params| params.beta1 = 1.0, "beta1: is 1"),
        ] {
            let error = message(change).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
