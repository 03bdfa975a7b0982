//! A sampling request and its answer.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, type_tag};
use crate::{ModelInput, SampledSequence, SamplingParams, SamplingSessionId, TensorData};

type_tag!(SampleTag, "sample");

/// A token id and its log probability, in nats.
pub type TokenLogprob = (u32, f32);

/// Draws sequences after a prompt.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SampleRequest {
    /// How many sequences, at least 1.
    pub num_samples: u32,
    /// What they continue.
    pub prompt: ModelInput,
    /// How to sample.
    #[serde(default)]
    pub sampling_params: SamplingParams,
    /// The sampler.
    pub sampling_session_id: SamplingSessionId,
    /// Position among the sampler's requests; a repeated number is the same request.
    pub seq_id: u64,
    /// Report the log probability of each prompt token.
    #[serde(default)]
    pub prompt_logprobs: bool,
    /// Report this many most likely tokens at each prompt position; 0 for none.
    #[serde(default)]
    pub topk_prompt_logprobs: u32,
    /// Report this many most likely tokens at each sampled position; 0 for none.
    #[serde(default)]
    pub topk_sample_logprobs: u32,
    /// Report the log probabilities of these tokens at the prompt positions, `[rows, K]`, dense or CSR.
    #[serde(default)]
    pub target_prompt_logprobs: Option<TensorData>,
    /// Report this many alternatives to each prompt token after the first; 0 for none.
    #[serde(default)]
    pub prompt_alt_tokens_k: u32,
    /// Report prompt log probabilities of this many last positions only; unset, of all.
    #[serde(default)]
    pub prompt_logprobs_last_n: Option<u32>,
    /// Let the server record what `stable_reinforce` needs.
    #[serde(default)]
    pub record_stability_info: bool,
    #[serde(rename = "type", default)]
    tag: SampleTag,
}

impl SampleRequest {
    /// One sequence with default options.
    pub fn new(sampling_session_id: SamplingSessionId, seq_id: u64, prompt: ModelInput) -> Self {
        Self {
            num_samples: 1,
            prompt,
            sampling_params: SamplingParams::default(),
            sampling_session_id,
            seq_id,
            prompt_logprobs: false,
            topk_prompt_logprobs: 0,
            topk_sample_logprobs: 0,
            target_prompt_logprobs: None,
            prompt_alt_tokens_k: 0,
            prompt_logprobs_last_n: None,
            record_stability_info: false,
            tag: SampleTag::Tag,
        }
    }
}

endpoint!(SampleRequest => promise of SampleResponse, "asample", Sample);

/// Sampled sequences and what was reported about the prompt of `P` tokens.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SampleResponse {
    /// The sequences, in the order they were asked for.
    pub sequences: Vec<SampledSequence>,
    /// Log probability of each prompt token given those before it, `[P]`; `None` where nothing was computed, always
    /// at position 0.
    #[serde(default)]
    pub prompt_logprobs: Option<Vec<Option<f32>>>,
    /// Most likely tokens at each prompt position, `[P]` lists; `None` as above.
    #[serde(default)]
    pub topk_prompt_logprobs: Option<Vec<Option<Vec<TokenLogprob>>>>,
    /// Log probabilities of the tokens in the request's `target_prompt_logprobs`, in its shape and layout.
    #[serde(default)]
    pub target_prompt_logprobs: Option<TensorData>,
    /// Prompt tokens that came from the server's prefix cache.
    #[serde(default)]
    pub prompt_cache_hit_tokens: u32,
    /// Alternatives to each prompt token after the first.
    #[serde(default)]
    pub prompt_alt_tokens: Option<AltTokens>,
}

/// Alternatives to prompt tokens; row `i` is about prompt position `i + 1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AltTokens {
    /// Token ids, `[P - 1, k]`.
    pub tokens: TensorData,
    /// Their log probabilities, `[P - 1, k]`.
    pub logprobs: TensorData,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_order_are_those_of_the_official_client() {
        let mut request = SampleRequest::new(
            "sess-0001:sample:0".into(),
            0,
            ModelInput::from_tokens([1, 2, 3]),
        );
        request.sampling_params.max_tokens = Some(3);
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"num_samples":1,"prompt":{"chunks":[{"tokens":[1,2,3],"type":"encoded_text"}]},"sampling_params":{"max_tokens":3,"temperature":1.0,"top_k":-1,"top_p":1.0},"sampling_session_id":"sess-0001:sample:0","seq_id":0,"prompt_logprobs":false,"topk_prompt_logprobs":0,"topk_sample_logprobs":0,"prompt_alt_tokens_k":0,"record_stability_info":false,"type":"sample"}"#
        );
    }
}
