//! A sampled sequence.

use serde::{Deserialize, Serialize};

use crate::SequenceId;
use crate::sample::TokenLogprob;

/// Why a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StopReason {
    /// A stop rule, or the model's own end token.
    Stop,
    /// `max_tokens`, or the end of the model's context.
    Length,
}

/// A sampled sequence of `n` tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SampledSequence {
    /// Why it ended.
    pub stop_reason: StopReason,
    /// Its name in provenance spans; `None` from servers that give none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_id: Option<SequenceId>,
    /// The sampled token ids, `[n]`. The stop token, if one ended it, is the last.
    pub tokens: Vec<u32>,
    /// Log probability of each token under the model as it is, before temperature and filters, `[n]`, in nats. `None`
    /// from servers that give none.
    #[serde(default)]
    pub logprobs: Option<Vec<f32>>,
    /// Most likely tokens at each position, `[n]` lists, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topk_logprobs: Option<Vec<Vec<TokenLogprob>>>,
}

impl SampledSequence {
    /// A sequence with its tokens.
    pub fn new(stop_reason: StopReason, tokens: Vec<u32>) -> Self {
        Self {
            stop_reason,
            sequence_id: None,
            tokens,
            logprobs: None,
            topk_logprobs: None,
        }
    }
}
