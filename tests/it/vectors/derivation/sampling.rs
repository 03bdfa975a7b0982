//! Requests behind methods of the sampling client.

use tinker_client::SampleOptions;
use tinker_types::SampleRequest;

use super::derived::Derived;
use crate::vectors::call::Call;

pub(super) fn sample(request: SampleRequest, named: &str) -> Derived {
    let mut options = SampleOptions::new(request.sampling_params);
    options.num_samples = request.num_samples;
    options.prompt_logprobs = request.prompt_logprobs;
    options.prompt_logprobs_last_n = request.prompt_logprobs_last_n;
    options.topk_prompt_logprobs = request.topk_prompt_logprobs;
    options.topk_sample_logprobs = request.topk_sample_logprobs;
    options.target_prompt_logprobs = request.target_prompt_logprobs;
    options.prompt_alt_tokens_k = request.prompt_alt_tokens_k;
    options.record_stability_info = request.record_stability_info;
    Call::Sample {
        sampler: request.sampling_session_id.to_string(),
        seq_id: request.seq_id,
        prompt: request.prompt,
        options,
        logprobs_only: named == "SamplingClient.compute_logprobs",
    }
    .into()
}
