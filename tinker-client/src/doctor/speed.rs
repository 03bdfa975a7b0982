//! Latency and throughput.

use futures_util::future::{BoxFuture, FutureExt as _};
use tinker_types::{ModelInput, SamplingParams};
use tokio::time::Instant;

use super::finding::{Finding, told};
use super::subject::Subject;
use crate::sampling::options::SampleOptions;

const CALLS: usize = 5;
const SAMPLES: u32 = 8;
const TOKENS: u32 = 32;

pub(super) fn speed(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            if let Err(error) = subject.service.server_capabilities().await {
                return Finding::skipped(told(&error));
            }
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let mut found = vec![format!("{} ms a request", times[CALLS / 2].as_millis())];
        if let Some(step) = subject.step_time {
            found.push(format!("{:.2} s a training step", step.as_secs_f64()));
        }
        if let Some(sampler) = subject.sampler.clone() {
            let params = SamplingParams::default()
                .with_max_tokens(TOKENS)
                .with_seed(4);
            let options = SampleOptions::new(params).with_num_samples(SAMPLES);
            let prompt = ModelInput::from_tokens(&subject.tokens[..]);
            let began = Instant::now();
            if let Ok(response) = sampler.sample(prompt, options).await {
                let tokens: usize = response.sequences.iter().map(|one| one.tokens.len()).sum();
                let rate = tokens as f64 / began.elapsed().as_secs_f64();
                found.push(format!("{rate:.0} sampled tokens/s in {SAMPLES} sequences"));
            }
        }
        Finding::passed(found.join(", "), "of short inputs, from this machine")
    }
    .boxed()
}
