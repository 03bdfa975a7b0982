//! The client of this workspace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tinker_client::{
    AdamParams, Config, Datum, LoraConfig, Loss, ModelInput, SampleOptions, SamplingClient,
    SamplingParams, ServiceClient, TrainingClient,
};

use crate::Outcome;
use crate::usage::{Cost, Meter};
use crate::workload::Workload;

/// Tokens of a small prompt.
const PROMPT: usize = 32;
/// Sequences of a large answer.
const SEQUENCES: u32 = 16;

/// Runs a workload on the server at `url`. A first, small part of it is not measured.
pub(crate) async fn run(url: &str, workload: &Workload) -> Outcome<Cost> {
    let service = service(url)?;
    match *workload {
        Workload::Sample { in_flight, count } => {
            let client = service.create_sampling_client("m").await?;
            let work = Samples::new(client, 1);
            work.run(in_flight, in_flight).await?;
            work.run(in_flight, count).await
        }
        Workload::Answer { in_flight, count } => {
            let client = service.create_sampling_client("m").await?;
            let work = Samples::new(client, SEQUENCES);
            work.run(in_flight, in_flight).await?;
            work.run(in_flight, count).await
        }
        Workload::Pass {
            rows,
            tokens,
            count,
        } => {
            let client = training(&service).await?;
            let data = data(rows, tokens);
            pass(&client, &data).await?;
            repeat(count, async || pass(&client, &data).await).await
        }
        Workload::Step {
            rows,
            tokens,
            count,
        } => {
            let client = training(&service).await?;
            let data = data(rows, tokens);
            pass(&client, &data).await?;
            let adam = AdamParams::new(1e-4);
            repeat(count, async || {
                pass(&client, &data).await?;
                client.optim_step(adam).await?;
                Ok(())
            })
            .await
        }
    }
}

/// A client of the server at `url`, without telemetry.
pub(crate) fn service(url: &str) -> Outcome<ServiceClient> {
    let config = Config::new(url)
        .with_api_key("tml-benchmark")
        .with_telemetry(false);
    Ok(ServiceClient::new(config)?)
}

pub(crate) async fn training(service: &ServiceClient) -> Outcome<TrainingClient> {
    Ok(service
        .create_lora_training_client("m", LoraConfig::new(8))
        .await?)
}

/// Rows of a batch.
pub(crate) fn data(rows: usize, tokens: usize) -> Arc<[Datum]> {
    let of_row = |row: usize| {
        let ids: Vec<u32> = (0..=tokens)
            .map(|at| ((at * 31 + row) % 50_000) as u32)
            .collect();
        Datum::supervised(&ids[..1], &ids[1..])
    };
    (0..rows).map(of_row).collect()
}

pub(crate) async fn pass(client: &TrainingClient, data: &Arc<[Datum]>) -> Outcome<()> {
    client
        .forward_backward(Arc::clone(data), Loss::cross_entropy())
        .await?;
    Ok(())
}

async fn repeat(count: usize, mut one: impl AsyncFnMut() -> Outcome<()>) -> Outcome<Cost> {
    let meter = Meter::start()?;
    let mut latencies = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        one().await?;
        latencies.push(start.elapsed());
    }
    meter.stop(count, latencies)
}

/// Samples of one prompt.
#[derive(Clone)]
pub(crate) struct Samples {
    client: SamplingClient,
    prompt: ModelInput,
    params: SamplingParams,
    sequences: u32,
}

impl Samples {
    pub(crate) fn new(client: SamplingClient, sequences: u32) -> Self {
        Self {
            client,
            prompt: ModelInput::from_tokens((0..PROMPT as u32).collect::<Vec<_>>()),
            params: SamplingParams::default().with_max_tokens(16),
            sequences,
        }
    }

    /// Draws one, and reads each of its values.
    pub(crate) async fn draw(&self) -> Outcome<()> {
        let options = SampleOptions::new(self.params.clone()).with_num_samples(self.sequences);
        let response = self.client.sample(self.prompt.clone(), options).await?;
        let mut sum = 0.0;
        for sequence in &response.sequences {
            let logprobs = sequence.logprobs.as_deref().unwrap_or_default();
            sum += logprobs.iter().map(|&x| f64::from(x)).sum::<f64>();
            sum += sequence.tokens.iter().map(|&x| f64::from(x)).sum::<f64>();
        }
        std::hint::black_box(sum);
        Ok(())
    }

    /// Keeps `in_flight` of them in flight until `count` are drawn.
    async fn run(&self, in_flight: usize, count: usize) -> Outcome<Cost> {
        let work = self.clone();
        crate::ours::in_flight(in_flight, count, move || {
            let work = work.clone();
            async move { work.draw().await }
        })
        .await
    }
}

/// Keeps `in_flight` calls in flight until `count` are done, one task for each.
pub(crate) async fn in_flight<F>(
    in_flight: usize,
    count: usize,
    call: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> Outcome<Cost>
where
    F: Future<Output = Outcome<()>> + Send,
{
    let meter = Meter::start()?;
    let left = Arc::new(AtomicUsize::new(count));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..in_flight {
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
    meter.stop(count, latencies)
}
