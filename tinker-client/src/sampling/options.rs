//! Options of a sample.

use serde_json::{Map, Value};
use tinker_types::{
    DType, InvalidValue, ModelInput, SampleRequest, SamplingParams, SamplingSessionId, TensorData,
};

/// Options of a sample. [`SamplingParams`] convert into options.
///
/// ```
/// use tinker_client::{SampleOptions, SamplingParams};
///
/// let options = SampleOptions::new(SamplingParams::default().with_max_tokens(64))
///     .with_num_samples(8)
///     .with_topk_sample_logprobs(5);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SampleOptions {
    /// Sampling parameters.
    pub params: SamplingParams,
    /// Number of sequences, at least 1. Default 1.
    pub num_samples: u32,
    /// Return the log probability of each prompt token. Default false.
    pub prompt_logprobs: bool,
    /// Return prompt log probabilities for this many last positions only, at least 1. Default: all.
    pub prompt_logprobs_last_n: Option<u32>,
    /// Number of most likely tokens to return for each prompt position. Default 0.
    pub topk_prompt_logprobs: u32,
    /// Number of most likely tokens to return for each sampled position. Default 0.
    pub topk_sample_logprobs: u32,
    /// Token ids whose log probabilities are returned for the prompt positions: int64, `[rows, K]`, dense or CSR.
    pub target_prompt_logprobs: Option<TensorData>,
    /// Number of alternatives to return for each prompt token after the first. Default 0.
    pub prompt_alt_tokens_k: u32,
    /// Record on the server what the loss `stable_reinforce` needs. Default false.
    pub record_stability_info: bool,
    /// Additional fields of the request body, for fields that this type does not have. Default: none.
    pub extra: Map<String, Value>,
}

impl SampleOptions {
    /// One sequence with its tokens and their log probabilities.
    pub fn new(params: SamplingParams) -> Self {
        Self {
            params,
            num_samples: 1,
            prompt_logprobs: false,
            prompt_logprobs_last_n: None,
            topk_prompt_logprobs: 0,
            topk_sample_logprobs: 0,
            target_prompt_logprobs: None,
            prompt_alt_tokens_k: 0,
            record_stability_info: false,
            extra: Map::new(),
        }
    }

    tinker_types::setters! {
        /// Sets [`Self::num_samples`].
        with_num_samples(num_samples: u32) => num_samples = num_samples;

        /// Sets [`Self::prompt_logprobs`].
        with_prompt_logprobs(prompt_logprobs: bool) => prompt_logprobs = prompt_logprobs;

        /// Sets [`Self::topk_prompt_logprobs`].
        with_topk_prompt_logprobs(k: u32) => topk_prompt_logprobs = k;

        /// Sets [`Self::topk_sample_logprobs`].
        with_topk_sample_logprobs(k: u32) => topk_sample_logprobs = k;

        /// Sets [`Self::target_prompt_logprobs`].
        with_target_prompt_logprobs(targets: TensorData) => target_prompt_logprobs = Some(targets);

        /// Sets [`Self::prompt_alt_tokens_k`].
        with_prompt_alt_tokens_k(k: u32) => prompt_alt_tokens_k = k;

        /// Sets [`Self::record_stability_info`].
        with_record_stability_info(record: bool) => record_stability_info = record;

        /// Adds a field to the request body, for fields that this type does not have.
        with_extra(name: impl Into<String>, value: impl Into<Value>) => extra.insert(name.into(), value.into());
    }

    /// Sets [`Self::prompt_logprobs`], restricted to the last `n` positions.
    #[must_use]
    pub fn with_prompt_logprobs_last_n(mut self, n: u32) -> Self {
        self.prompt_logprobs = true;
        self.prompt_logprobs_last_n = Some(n);
        self
    }

    /// Refuses values that the server would refuse.
    pub(crate) fn check(&self) -> Result<(), InvalidValue> {
        self.params
            .check()
            .map_err(|error| error.within("params"))?;
        if self.num_samples == 0 {
            return Err(InvalidValue::new(
                "num_samples",
                "is 0; it must be at least 1",
            ));
        }
        if self.prompt_logprobs_last_n == Some(0) {
            return Err(InvalidValue::new(
                "prompt_logprobs_last_n",
                "is 0; it must be at least 1",
            ));
        }
        if self.prompt_logprobs_last_n.is_some() && !self.prompt_logprobs {
            let why = "needs prompt_logprobs; set it";
            return Err(InvalidValue::new("prompt_logprobs_last_n", why));
        }
        let is_matrix_of_ids = |targets: &TensorData| {
            targets.dtype() == DType::Int64 && targets.shape().is_some_and(|shape| shape.len() == 2)
        };
        if self
            .target_prompt_logprobs
            .as_ref()
            .is_some_and(|targets| !is_matrix_of_ids(targets))
        {
            let why = "must be int64 token ids of shape [rows, K]";
            return Err(InvalidValue::new("target_prompt_logprobs", why));
        }
        Ok(())
    }

    /// The request with these options.
    pub(crate) fn request(
        &self,
        sampler: SamplingSessionId,
        seq_id: u64,
        prompt: ModelInput,
    ) -> SampleRequest {
        let mut request = SampleRequest::new(sampler, seq_id, prompt);
        request.sampling_params = self.params.clone();
        request.num_samples = self.num_samples;
        request.prompt_logprobs = self.prompt_logprobs;
        request.prompt_logprobs_last_n = self.prompt_logprobs_last_n;
        request.topk_prompt_logprobs = self.topk_prompt_logprobs;
        request.topk_sample_logprobs = self.topk_sample_logprobs;
        request
            .target_prompt_logprobs
            .clone_from(&self.target_prompt_logprobs);
        request.prompt_alt_tokens_k = self.prompt_alt_tokens_k;
        request.record_stability_info = self.record_stability_info;
        request
    }
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self::new(SamplingParams::default())
    }
}

impl From<SamplingParams> for SampleOptions {
    fn from(params: SamplingParams) -> Self {
        Self::new(params)
    }
}

/// Refuses an empty prompt.
pub(crate) fn check_prompt(prompt: &ModelInput) -> Result<(), InvalidValue> {
    let is_empty = prompt
        .chunks
        .iter()
        .all(|chunk| chunk.length().is_ok_and(|length| length == 0));
    if is_empty {
        return Err(InvalidValue::new(
            "prompt",
            "is empty; give at least one token",
        ));
    }
    Ok(())
}
