//! Losses: their names, constants and required inputs.

use std::collections::BTreeMap;

use serde::de::{IntoDeserializer, value};
use serde::{Deserialize, Serialize};

use crate::DType;

/// Name of a loss.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LossFn {
    /// `-sum w lp`: supervised learning and distillation.
    CrossEntropy,
    /// `-sum r A`, with the ratio `r = exp(lp - q)` to the sampling policy.
    ImportanceSampling,
    /// Clipped ratio, pessimistic bound.
    Ppo,
    /// Clipped ratio as a constant weight of `lp`.
    Cispo,
    /// Quadratic penalty on `lp - q`.
    Dro,
    /// Ratio of whole sequences.
    Gspo,
    /// Available on the hosted service only; its definition is not public.
    StableReinforce,
    /// An uploaded graph.
    Custom,
    /// A loss this version does not have.
    #[serde(untagged)]
    Other(String),
}

impl LossFn {
    /// Name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::CrossEntropy => "cross_entropy",
            Self::ImportanceSampling => "importance_sampling",
            Self::Ppo => "ppo",
            Self::Cispo => "cispo",
            Self::Dro => "dro",
            Self::Gspo => "gspo",
            Self::StableReinforce => "stable_reinforce",
            Self::Custom => "custom",
            Self::Other(name) => name,
        }
    }

    /// The loss with this name; unknown names are kept.
    pub fn from_name(name: &str) -> Self {
        let known = Self::deserialize(name.into_deserializer());
        known.unwrap_or_else(|_: value::Error| Self::Other(name.to_owned()))
    }

    /// Arrays that each datum requires; `None` if only the server has that information.
    pub fn required_inputs(&self) -> Option<&'static [LossInput]> {
        const TARGETS: LossInput = LossInput::new("target_tokens", DType::Int64);
        const LOGPROBS: LossInput = LossInput::new("logprobs", DType::Float32);
        const ADVANTAGES: LossInput = LossInput::new("advantages", DType::Float32);
        const MASK: LossInput = LossInput::new("sequence_ratio_mask", DType::Float32);
        match self {
            Self::CrossEntropy | Self::Custom => Some(&[TARGETS]),
            Self::ImportanceSampling
            | Self::Ppo
            | Self::Cispo
            | Self::Dro
            | Self::StableReinforce => Some(&[TARGETS, LOGPROBS, ADVANTAGES]),
            Self::Gspo => Some(&[TARGETS, LOGPROBS, ADVANTAGES, MASK]),
            Self::Other(_) => None,
        }
    }

    /// Arrays that a datum may have besides: the `weights` of cross entropy, which default to 1, and the bounds of single
    /// targets for losses that clip.
    pub fn optional_inputs(&self) -> &'static [LossInput] {
        const WEIGHTS: LossInput = LossInput::new("weights", DType::Float32);
        const LOW: LossInput = LossInput::new("clip_low_threshold", DType::Float32);
        const HIGH: LossInput = LossInput::new("clip_high_threshold", DType::Float32);
        match self {
            Self::CrossEntropy => &[WEIGHTS],
            Self::Ppo | Self::Cispo | Self::Gspo => &[LOW, HIGH],
            _ => &[],
        }
    }
}

/// An array that a loss takes for each datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossInput {
    /// Key in `loss_fn_inputs`.
    pub name: &'static str,
    /// Element type.
    pub dtype: DType,
}

impl LossInput {
    const fn new(name: &'static str, dtype: DType) -> Self {
        Self { name, dtype }
    }
}

/// A constant of a loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum LossValue {
    /// A number.
    Number(f64),
    /// A string, for example the id of an uploaded loss.
    Text(String),
}

/// A loss with its constants. Each loss is a sum over tokens and datums, not a mean.
///
/// ```
/// use tinker_types::Loss;
///
/// let loss = Loss::ppo().with_clip(0.8, 1.2);
/// assert_eq!(loss.name.as_str(), "ppo");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Loss {
    /// Name of the loss.
    pub name: LossFn,
    /// Constants by name; omitted ones take the server's defaults.
    pub config: BTreeMap<String, LossValue>,
}

impl Loss {
    /// A loss by name, with the server's default constants.
    pub fn new(name: LossFn) -> Self {
        Self {
            name,
            config: BTreeMap::new(),
        }
    }

    /// Supervised learning: `target_tokens`, and optionally `weights`, which default to 1.
    pub fn cross_entropy() -> Self {
        Self::new(LossFn::CrossEntropy)
    }

    /// Policy gradient with importance weights: `target_tokens`, `logprobs`, `advantages`.
    pub fn importance_sampling() -> Self {
        Self::new(LossFn::ImportanceSampling)
    }

    /// PPO's clipped objective. The hosted service clips the ratio to 0.8..1.2 by default.
    pub fn ppo() -> Self {
        Self::new(LossFn::Ppo)
    }

    /// CISPO. The hosted service clips the ratio to 0..4 by default.
    pub fn cispo() -> Self {
        Self::new(LossFn::Cispo)
    }

    /// DRO with the penalty factor `beta`.
    pub fn dro() -> Self {
        Self::new(LossFn::Dro)
    }

    /// GSPO, with the ratio of whole sequences: the inputs of [`Loss::ppo`], and `sequence_ratio_mask`, 1 at the
    /// positions that contribute to the ratio of a sequence.
    pub fn gspo() -> Self {
        Self::new(LossFn::Gspo)
    }

    /// A loss of the hosted service: `target_tokens`, `logprobs`, `advantages`, and the provenance of each datum, see
    /// [`Datum::with_provenance_of`](crate::Datum::with_provenance_of).
    pub fn stable_reinforce() -> Self {
        Self::new(LossFn::StableReinforce)
    }

    /// Sets the bounds of the ratio itself, not distances from 1.
    #[must_use]
    pub fn with_clip(self, low: f64, high: f64) -> Self {
        self.with("clip_low_threshold", low)
            .with("clip_high_threshold", high)
    }

    /// Sets the penalty factor of [`Loss::dro`].
    #[must_use]
    pub fn with_beta(self, beta: f64) -> Self {
        self.with("beta", beta)
    }

    /// Sets a constant by its name on the wire.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<LossValue>) -> Self {
        self.config.insert(name.into(), value.into());
        self
    }
}

impl From<f64> for LossValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for LossValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_wire() {
        for name in ["cross_entropy", "gspo", "stable_reinforce", "brand_new"] {
            let json = format!("{name:?}");
            let loss: LossFn = serde_json::from_str(&json).unwrap();
            assert_eq!(
                (loss.as_str(), LossFn::from_name(name)),
                (name, loss.clone())
            );
            assert_eq!(serde_json::to_string(&loss).unwrap(), json);
        }
    }
}
