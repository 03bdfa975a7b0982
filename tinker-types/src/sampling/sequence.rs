//! Sampled sequences.

use serde::{Deserialize, Serialize};

use crate::SequenceId;

/// A token id and its log probability, in nats.
pub type TokenLogprob = (u32, f32);

/// Reason why a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StopReason {
    /// A stop condition, or the model's own end token.
    Stop,
    /// `max_tokens`, or the end of the model's context.
    Length,
}

/// A sampled sequence of `n` tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SampledSequence {
    /// Reason of the end.
    pub stop_reason: StopReason,
    /// Id of the sequence in provenance spans, if the server reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_id: Option<SequenceId>,
    /// The sampled token ids, `[n]`. The stop token, if one ended it, is the last.
    pub tokens: Vec<u32>,
    /// Log probability of each token, `[n]`, in nats, if the server reports it. At a temperature `t` it is that of
    /// `softmax(logits / t)`; `top_k` and `top_p` do not change it. With the engine of this project it is that at 1 if `t`
    /// is 0. Log probabilities of training passes and of prompts are always those at 1, so the ratio of a policy that is
    /// trained on its samples compares like with like only if they were drawn at temperature 1.
    #[serde(default)]
    pub logprobs: Option<Vec<f32>>,
    /// Most likely tokens at each position with their log probabilities at the same temperature, `[n]` lists, if
    /// requested.
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
