//! Samplers of a run.

use tinker_client::SamplingClient;
use tinker_client::transport::policy::Standard;

/// The sampler with the retry policy of training operations: a server error of one sample would end the run.
pub(crate) fn steady(sampler: &SamplingClient) -> SamplingClient {
    sampler.clone().with_policy(Standard::new())
}
