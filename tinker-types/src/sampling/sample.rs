//! Sampling requests and responses.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, type_tag};
use crate::{
    ModelInput, SampledSequence, SamplingParams, SamplingSessionId, TensorData, TokenLogprob,
};

type_tag!(SampleTag, "sample");

/// Samples sequences after a prompt.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SampleRequest {
    /// Number of sequences, at least 1. Default 1.
    #[serde(default = "one")]
    pub num_samples: u32,
    /// The prompt.
    pub prompt: ModelInput,
    /// Sampling parameters.
    #[serde(default)]
    pub sampling_params: SamplingParams,
    /// The sampler.
    pub sampling_session_id: SamplingSessionId,
    /// Index among the requests of the sampler; a repeated index is the same request.
    pub seq_id: u64,
    /// Whether to report the log probability of each prompt token.
    #[serde(default)]
    pub prompt_logprobs: bool,
    /// Number of most likely tokens to report at each prompt position; 0 for none.
    #[serde(default)]
    pub topk_prompt_logprobs: u32,
    /// Number of most likely tokens to report at each sampled position; 0 for none.
    #[serde(default)]
    pub topk_sample_logprobs: u32,
    /// Tokens whose log probabilities are reported at the prompt positions, `[rows, K]`, dense or CSR.
    #[serde(default)]
    pub target_prompt_logprobs: Option<TensorData>,
    /// Number of alternatives to report for each prompt token after the first; 0 for none.
    #[serde(default)]
    pub prompt_alt_tokens_k: u32,
    /// Number of last prompt positions whose log probabilities are reported; unset, all.
    #[serde(default)]
    pub prompt_logprobs_last_n: Option<u32>,
    /// Whether the server records the data that the loss `stable_reinforce` requires.
    #[serde(default)]
    pub record_stability_info: bool,
    #[serde(rename = "type", default)]
    tag: SampleTag,
}

impl SampleRequest {
    /// A request for one sequence with default options.
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

fn one() -> u32 {
    1
}

endpoint!(SampleRequest => promise of SampleResponse, "asample", Sample);

/// Sampled sequences and the reported data of the prompt, which has `P` tokens.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SampleResponse {
    /// The sequences, in the order of the request.
    pub sequences: Vec<SampledSequence>,
    /// Log probability of each prompt token given the tokens before it, `[P]`; `None` where it was not computed, always
    /// at position 0.
    #[serde(default)]
    pub prompt_logprobs: Option<Vec<Option<f32>>>,
    /// Most likely tokens at each prompt position, `[P]` lists; `None` as above.
    #[serde(default)]
    pub topk_prompt_logprobs: Option<Vec<Option<Vec<TokenLogprob>>>>,
    /// Log probabilities of the tokens in the request's `target_prompt_logprobs`, in its shape and layout.
    #[serde(default)]
    pub target_prompt_logprobs: Option<TensorData>,
    /// Number of prompt tokens that came from the prefix cache of the server.
    #[serde(default)]
    pub prompt_cache_hit_tokens: u32,
    /// Alternatives to each prompt token after the first.
    #[serde(default)]
    pub prompt_alt_tokens: Option<AltTokens>,
}

impl SampleResponse {
    /// A response with these sequences and nothing about the prompt, for tests.
    pub fn new(sequences: Vec<SampledSequence>) -> Self {
        Self {
            sequences,
            ..Self::default()
        }
    }
}

/// Alternatives to prompt tokens; row `i` refers to prompt position `i + 1`.
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
