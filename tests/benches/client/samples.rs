//! Samples.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tinker_client::{ModelInput, SampleOptions, SamplingClient, SamplingParams};
use tinker_types::SampleResponse;
use tinker_types::proto::SampleView;

use crate::Outcome;
use crate::usage::{Before, Cost, Meter};

/// Tokens of a small prompt.
const PROMPT: usize = 32;
/// Sequences of a large answer.
pub(crate) const SEQUENCES: u32 = 16;

/// Samples of one prompt.
#[derive(Clone)]
pub(crate) struct Samples {
    client: SamplingClient,
    prompt: ModelInput,
    params: SamplingParams,
    sequences: u32,
    /// Whether values are read in place.
    in_place: bool,
}

impl Samples {
    pub(crate) fn new(client: SamplingClient, sequences: u32) -> Self {
        Self {
            client,
            prompt: ModelInput::from_tokens((0..PROMPT as u32).collect::<Vec<_>>()),
            params: SamplingParams::default().with_max_tokens(16),
            sequences,
            in_place: false,
        }
    }

    /// Reads values in place.
    pub(crate) fn in_place(mut self) -> Self {
        self.in_place = true;
        self
    }

    /// Draws one, and reads each of its values.
    pub(crate) async fn draw(&self) -> Outcome<()> {
        let options = SampleOptions::new(self.params.clone()).with_num_samples(self.sequences);
        let prompt = self.prompt.clone();
        if self.in_place {
            read_view(&self.client.sample_view(prompt, options).await?);
        } else {
            read(&self.client.sample(prompt, options).await?);
        }
        Ok(())
    }

    /// Keeps `parallel` of them in flight until `count` are drawn.
    pub(crate) async fn run(&self, parallel: usize, count: usize) -> Outcome<Cost> {
        let work = self.clone();
        in_flight(parallel, count, move || {
            let work = work.clone();
            async move { work.draw().await }
        })
        .await
    }
}

/// Reads each value.
pub(crate) fn read(response: &SampleResponse) {
    for sequence in &response.sequences {
        let logprobs = sequence.logprobs.as_deref().unwrap_or_default();
        mix(logprobs.iter().map(|value| value.to_bits()));
        mix(sequence.tokens.iter().copied());
    }
}

/// Reads each value in place.
pub(crate) fn read_view(view: &SampleView) {
    for sequence in &view.sequences {
        if let Some(logprobs) = &sequence.logprobs {
            mix(logprobs.iter().map(f32::to_bits));
        }
        mix(sequence.tokens.iter());
    }
}

/// A sum of bits, which takes less time than one of numbers, whose order is fixed.
fn mix(bits: impl Iterator<Item = u32>) {
    std::hint::black_box(bits.fold(0, u32::wrapping_add));
}

/// Keeps `parallel` calls in flight until `count` are done, one task for each. The first ones are not measured.
pub(crate) async fn in_flight<F>(
    parallel: usize,
    count: usize,
    call: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> Outcome<Cost>
where
    F: Future<Output = Outcome<()>> + Send,
{
    let before = Before::now()?;
    latencies(parallel, parallel, call.clone()).await?;
    let meter = Meter::start(before)?;
    let latencies = latencies(parallel, count, call).await?;
    meter.stop(count, latencies)
}

async fn latencies<F>(
    parallel: usize,
    count: usize,
    call: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> Outcome<Vec<Duration>>
where
    F: Future<Output = Outcome<()>> + Send,
{
    let left = Arc::new(AtomicUsize::new(count));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..parallel {
        let (left, call) = (Arc::clone(&left), call.clone());
        tasks.spawn(async move {
            let less = |left: usize| left.checked_sub(1);
            let mut latencies: Vec<Duration> = Vec::new();
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                .is_ok()
            {
                let start = Instant::now();
                call().await?;
                latencies.push(start.elapsed());
            }
            Outcome::Ok(latencies)
        });
    }
    let mut latencies = Vec::with_capacity(count);
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done??);
    }
    Ok(latencies)
}
