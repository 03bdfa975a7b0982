//! Losses: their names, constants and required inputs.

use std::collections::BTreeMap;

use serde::de::{IntoDeserializer, value};
use serde::{Deserialize, Serialize};

use crate::error::each;
use crate::{Chunk, DType, Datum, Elements, InvalidValue, TensorData};

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

    /// Arrays that each datum requires; `None` if only the server has that information. Optional arrays are not
    /// included: the `weights` of cross entropy, which default to 1.
    pub fn required_inputs(&self) -> Option<&'static [LossInput]> {
        const TARGETS: LossInput = LossInput {
            name: "target_tokens",
            dtype: DType::Int64,
        };
        const LOGPROBS: LossInput = LossInput {
            name: "logprobs",
            dtype: DType::Float32,
        };
        const ADVANTAGES: LossInput = LossInput {
            name: "advantages",
            dtype: DType::Float32,
        };
        const MASK: LossInput = LossInput {
            name: "sequence_ratio_mask",
            dtype: DType::Float32,
        };
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
}

/// Optional weights of cross entropy.
const WEIGHTS: LossInput = LossInput {
    name: "weights",
    dtype: DType::Float32,
};

/// An array that a loss requires for each datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossInput {
    /// Key in `loss_fn_inputs`.
    pub name: &'static str,
    /// Element type.
    pub dtype: DType,
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
    /// [`Datum::with_provenance_of`].
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

    /// Validates datums as far as possible without the server: inputs are present and can be trained on, loss inputs
    /// are present and have the right type and length, numbers are finite, target ids are not negative.
    ///
    /// # Errors
    /// The first invalid datum, with the field, the cause and the fix.
    pub fn check(&self, data: &[Datum]) -> Result<(), InvalidValue> {
        if data.is_empty() {
            return Err(InvalidValue::new(
                "data",
                "is empty; give at least one datum",
            ));
        }
        each(data, "data", |datum| self.check_datum(datum))
    }

    fn check_datum(&self, datum: &Datum) -> Result<(), InvalidValue> {
        let chunks = &datum.model_input.chunks;
        if chunks
            .iter()
            .all(|chunk| chunk.length().is_ok_and(|n| n == 0))
        {
            return Err(InvalidValue::new(
                "model_input",
                "is empty; a datum needs at least one input token",
            ));
        }
        each::<_, _, ()>(chunks, "model_input.chunks", Chunk::check_trainable)?;
        datum.check_provenance()?;
        if self.name == LossFn::StableReinforce && datum.model_input_spans.is_empty() {
            let why = "is missing; stable_reinforce requires the provenance of tokens, see Datum::with_provenance_of";
            return Err(InvalidValue::new("model_input_spans", why));
        }
        let Some(required) = self.name.required_inputs() else {
            return Ok(());
        };
        let is_weighted =
            self.name == LossFn::CrossEntropy && datum.loss_fn_inputs.contains_key(WEIGHTS.name);
        for input in required.iter().chain(is_weighted.then_some(&WEIGHTS)) {
            self.check_input(datum, *input)
                .map_err(|e| e.within(format!("loss_fn_inputs.{}", input.name)))?;
        }
        Ok(())
    }

    fn check_input(&self, datum: &Datum, input: LossInput) -> Result<(), InvalidValue> {
        let Some(tensor) = datum.loss_fn_inputs.get(input.name) else {
            return Err(InvalidValue::new(
                "",
                format!("is missing; {} needs it", self.name.as_str()),
            ));
        };
        if tensor.dtype() != input.dtype {
            let (have, want) = (tensor.dtype(), input.dtype);
            return Err(InvalidValue::new(
                "",
                format!("is {have:?}, must be {want:?}").to_lowercase(),
            ));
        }
        // Only the server may know the length of an image.
        if let Ok(positions) = datum.model_input.length() {
            let rows = tensor.positions();
            if rows != positions {
                let form =
                    format!("has {rows} positions for {positions} input tokens; give one for each");
                return Err(InvalidValue::new("", form));
            }
        }
        check_numbers(tensor)
    }
}

fn check_numbers(tensor: &TensorData) -> Result<(), InvalidValue> {
    let refuse = |at: usize, what: &dyn std::fmt::Display, why: &str| {
        Err(InvalidValue::new(
            format!("[{at}]"),
            format!("is {what}; {why}"),
        ))
    };
    match tensor.elements() {
        Elements::Float32(values) => match values.iter().position(|v| !v.is_finite()) {
            Some(at) => refuse(at, &values[at], "losses take finite numbers"),
            None => Ok(()),
        },
        Elements::Int64(values) => match values
            .iter()
            .position(|&v| v < 0 || v > i64::from(i32::MAX))
        {
            Some(at) => refuse(
                at,
                &values[at],
                "token ids are not negative and fit 32 bits",
            ),
            None => Ok(()),
        },
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

    #[test]
    fn a_fault_is_named_with_its_place() {
        let good = Datum::supervised(&[1, 2], &[3]);
        let message = |bad: Datum| {
            Loss::cross_entropy()
                .check(&[good.clone(), bad])
                .unwrap_err()
                .to_string()
        };
        assert!(Loss::cross_entropy().check(&[]).is_err());
        assert!(message(Datum::default()).starts_with("data[1].model_input: "));
        assert!(
            message(good.clone().with_input("weights", vec![1.0]))
                .contains("1 positions for 2 input tokens")
        );
        assert_eq!(
            message(good.clone().with_input("weights", vec![1.0, f32::NAN])),
            "data[1].loss_fn_inputs.weights[1]: is NaN; losses take finite numbers"
        );
        assert!(
            message(good.clone().with_input("target_tokens", vec![-1_i64, 0]))
                .contains("target_tokens[0]")
        );
        assert!(
            message(good.clone().with_input("weights", vec![1_i64, 0]))
                .contains("is int64, must be float32")
        );
        let mut pointer = good.clone();
        pointer.model_input.chunks = vec![crate::Chunk::text([u32::MAX])];
        assert!(
            message(pointer).starts_with("data[1].model_input.chunks[0].tokens[0]: 4294967295")
        );
        let reinforced = Datum::reinforced(&[1], &[2, 3], &[-1.0; 2], &[1.0; 2]).unwrap();
        let check = |datum: &Datum| Loss::stable_reinforce().check(std::slice::from_ref(datum));
        let error = check(&reinforced).unwrap_err().to_string();
        assert!(
            error.starts_with("data[0].model_input_spans: is missing"),
            "{error}"
        );
        let mut recorded = reinforced.with_provenance_of("q", 1).unwrap();
        assert!(check(&recorded).is_ok());
        recorded.model_input_spans.pop();
        let error = check(&recorded).unwrap_err().to_string();
        assert!(
            error.starts_with("data[0].model_input_spans: cover 1 positions"),
            "{error}"
        );
        let ppo = Loss::ppo().check(&[good]).unwrap_err().to_string();
        assert_eq!(
            ppo,
            "data[0].loss_fn_inputs.logprobs: is missing; ppo needs it"
        );
    }
}
