//! Sampling parameters.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::InvalidValue;

/// Stop condition of a sampled sequence, besides its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Stop {
    /// Stop when the text contains this string.
    Text(String),
    /// Stop at one of these tokens. An empty list disables stopping, even at the model's own end token.
    Tokens(Vec<u32>),
    /// Stop when the text contains one of these strings.
    Texts(Vec<String>),
}

/// Sampling parameters. Unset fields take the defaults of the server.
///
/// ```
/// use tinker_types::SamplingParams;
///
/// let greedy = SamplingParams::default().with_temperature(0.0).with_max_tokens(64);
/// assert_eq!(greedy.top_p, 1.0);
/// ```
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct SamplingParams {
    /// Largest number of tokens to generate for each sequence, at least 1; unset, up to the model's context length.
    pub max_tokens: Option<u32>,
    /// Seed that makes sampling repeatable: the same request with the same weights gives the same sequences. Unset,
    /// each request gives different ones.
    pub seed: Option<u64>,
    /// Stop condition; unset, the model's own end token.
    pub stop: Option<Stop>,
    /// Divisor of the logits. 0 selects the most likely token. Default 1. Log probabilities of the sample are those at this
    /// temperature, see [`SampledSequence::logprobs`](crate::SampledSequence::logprobs).
    pub temperature: f64,
    /// Number of most likely tokens to keep; -1, the default, keeps all.
    pub top_k: i64,
    /// Cumulative probability of the most likely tokens to keep. Default 1, which keeps all.
    pub top_p: f64,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            max_tokens: None,
            seed: None,
            stop: None,
            temperature: 1.0,
            top_k: -1,
            top_p: 1.0,
        }
    }
}

impl SamplingParams {
    crate::setters! {
        /// Sets [`Self::max_tokens`].
        with_max_tokens(max_tokens: u32) => max_tokens = Some(max_tokens);

        /// Sets [`Self::seed`].
        with_seed(seed: u64) => seed = Some(seed);

        /// Sets [`Self::stop`].
        with_stop(stop: Stop) => stop = Some(stop);

        /// Sets [`Self::temperature`].
        with_temperature(temperature: f64) => temperature = temperature;

        /// Sets [`Self::top_k`].
        with_top_k(top_k: u32) => top_k = i64::from(top_k);

        /// Sets [`Self::top_p`].
        with_top_p(top_p: f64) => top_p = top_p;
    }

    /// Checks ranges: a temperature of 0 or more, `top_p` above 0 and at most 1, `top_k` of -1 or at least 1,
    /// `max_tokens` of at least 1.
    ///
    /// # Errors
    /// The first field outside its range.
    pub fn check(&self) -> Result<(), InvalidValue> {
        let refuse = |field: &str, why: String| Err(InvalidValue::new(field, why));
        if !self.temperature.is_finite() || self.temperature < 0.0 {
            return refuse(
                "temperature",
                format!("is {}; it is a finite number, 0 or more", self.temperature),
            );
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return refuse(
                "top_p",
                format!("is {}; it lies above 0 and is at most 1", self.top_p),
            );
        }
        if self.top_k < -1 || self.top_k == 0 {
            return refuse(
                "top_k",
                format!("is {}; it is at least 1, or -1 for no limit", self.top_k),
            );
        }
        if self.max_tokens == Some(0) {
            return refuse("max_tokens", "is 0; it is at least 1".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_keep_their_form() {
        for (json, stop) in [
            (r#""x""#, Stop::Text("x".into())),
            (r#"["x"]"#, Stop::Texts(vec!["x".into()])),
            ("[7]", Stop::Tokens(vec![7])),
            ("[]", Stop::Tokens(vec![])),
        ] {
            assert_eq!(serde_json::from_str::<Stop>(json).unwrap(), stop);
            assert_eq!(serde_json::to_string(&stop).unwrap(), json);
        }
        assert!(serde_json::from_str::<Stop>(r#"["x",1]"#).is_err());
    }

    #[test]
    fn unset_fields_are_left_out() {
        let json = serde_json::to_string(&SamplingParams::default().with_max_tokens(3)).unwrap();
        assert_eq!(
            json,
            r#"{"max_tokens":3,"temperature":1.0,"top_k":-1,"top_p":1.0}"#
        );
    }
}
