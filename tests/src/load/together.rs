//! Concurrent clients.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tinker_client::{Config, Error, ServiceClient};
use tinker_types::CheckpointPath;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::work::{self, Drawn, STEPS_BETWEEN_SAVES};

/// Number of clients and duration.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Number of clients.
    pub clients: usize,
    /// How many of them train an adapter each; the others sample.
    pub trainers: usize,
    /// Duration of the run.
    pub time: Duration,
}

/// Results of a trainer.
#[derive(Debug)]
pub struct Trained {
    /// Steps it took.
    pub steps: u64,
    /// Files of its last checkpoint, weights and optimizer, by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The weights of a sample: the base model, or a trainer's save after a step.
pub(super) type Source = Option<(usize, u64)>;

/// Results of all clients.
#[derive(Debug)]
pub struct Together {
    /// Wall-clock time.
    pub time: Duration,
    /// The trainers, in order.
    pub trained: Vec<Trained>,
    /// Samples by their weights.
    pub(super) drawn: BTreeMap<Source, Vec<Drawn>>,
    /// Latency of each sample.
    pub latencies: Vec<Duration>,
    /// Number of samples of each sampling client.
    pub samples_of: Vec<usize>,
}

impl Together {
    /// Total number of samples.
    pub fn samples(&self) -> usize {
        self.drawn.values().map(Vec::len).sum()
    }

    /// Steps of the slowest trainer divided by the mean.
    pub fn fairness(&self) -> f64 {
        share(self.trained.iter().map(|trained| trained.steps as f64))
    }

    /// Samples of the slowest sampling client divided by the mean.
    pub fn sampling_fairness(&self) -> f64 {
        share(self.samples_of.iter().map(|&samples| samples as f64))
    }
}

/// The minimum divided by the mean.
fn share(all: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = all.clone().count() as f64;
    all.clone().fold(f64::INFINITY, f64::min) / (all.sum::<f64>() / count)
}

/// The newest saved weights of a trainer, and the step after which they were saved.
type Saved = Option<(u64, CheckpointPath)>;

struct Sampled {
    drawn: BTreeMap<Source, Vec<Drawn>>,
    latencies: Vec<Duration>,
}

/// Runs all clients against the server at `url`, whose checkpoints are in `data`.
///
/// # Errors
/// The first error of any client.
///
/// # Panics
/// If a client panics.
pub async fn run(url: &str, data: &Path, plan: Plan) -> Result<Together, Error> {
    let start = Instant::now();
    let end = start + plan.time;
    let newest: Vec<Arc<watch::Sender<Saved>>> =
        (0..plan.trainers).map(|_| Arc::default()).collect();
    let mut trainers = JoinSet::new();
    for (trainer, newest) in newest.iter().enumerate() {
        let (url, data, newest) = (url.to_owned(), data.to_owned(), Arc::clone(newest));
        trainers.spawn(async move { (trainer, train(&url, &data, trainer, end, &newest).await) });
    }
    let mut samplers = JoinSet::new();
    for client in 0..plan.clients - plan.trainers {
        // One share of the clients samples from the base model.
        let of = client % (plan.trainers + 1);
        let source = newest.get(of).map(|newest| (of, newest.subscribe()));
        let url = url.to_owned();
        samplers.spawn(async move { sample(&url, client, source, end).await });
    }
    let mut trained = BTreeMap::new();
    while let Some(ended) = trainers.join_next().await {
        let (trainer, outcome) = ended.expect("a trainer does not panic");
        trained.insert(trainer, outcome?);
    }
    let mut together = Together {
        time: Duration::ZERO,
        trained: trained.into_values().collect(),
        drawn: BTreeMap::new(),
        latencies: Vec::new(),
        samples_of: Vec::new(),
    };
    while let Some(ended) = samplers.join_next().await {
        let sampled = ended.expect("a sampler does not panic")?;
        together.samples_of.push(sampled.latencies.len());
        together.latencies.extend(sampled.latencies);
        for (source, drawn) in sampled.drawn {
            together.drawn.entry(source).or_default().extend(drawn);
        }
    }
    together.time = start.elapsed();
    together.latencies.sort();
    Ok(together)
}

pub(super) fn client(url: &str) -> Result<ServiceClient, Error> {
    ServiceClient::new(Config::new(url).with_api_key("any"))
}

/// Trains until `end` and returns the results.
async fn train(
    url: &str,
    data: &Path,
    trainer: usize,
    end: Instant,
    newest: &watch::Sender<Saved>,
) -> Result<Trained, Error> {
    let service = client(url)?;
    let training = work::model(&service, trainer).await?;
    let mut steps = 0;
    while steps == 0 || Instant::now() < end {
        work::step(&training, trainer, steps).await?;
        steps += 1;
        if steps % STEPS_BETWEEN_SAVES == 1 {
            let path = training
                .save_weights_for_sampler(work::name(steps).as_str())
                .await?;
            newest.send_replace(Some((steps, path)));
        }
    }
    finish(&training, data, steps).await
}

/// Saves the last weights and reads the files.
pub(super) async fn finish(
    training: &tinker_client::TrainingClient,
    data: &Path,
    steps: u64,
) -> Result<Trained, Error> {
    training.save_state("last").await?;
    let run = training.model_id().as_str().replace(':', "_");
    let folder = data.join("checkpoints").join(run).join("weights/last");
    let read = |name: &str| {
        (
            name.to_owned(),
            std::fs::read(folder.join(name)).unwrap_or_default(),
        )
    };
    let files = ["adapter_model.safetensors", "optimizer.safetensors"]
        .map(read)
        .into();
    Ok(Trained { steps, files })
}

async fn sample(
    url: &str,
    client_number: usize,
    source: Option<(usize, watch::Receiver<Saved>)>,
    end: Instant,
) -> Result<Sampled, Error> {
    let service = client(url)?;
    let mut sampled = Sampled {
        drawn: BTreeMap::new(),
        latencies: Vec::new(),
    };
    let mut number = client_number as u64 * 1_000_000;
    let mut current = None;
    while number.is_multiple_of(1_000_000) || Instant::now() < end {
        let wanted: Source = match &source {
            None => None,
            Some((trainer, newest)) => {
                let mut newest = newest.clone();
                let Ok(newest) = newest.wait_for(Option::is_some).await else {
                    break;
                };
                newest.as_ref().map(|(step, _)| (*trainer, *step))
            }
        };
        let sampler = match current {
            Some((of, ref sampler)) if of == wanted => sampler,
            _ => {
                let path = source
                    .as_ref()
                    .and_then(|(_, newest)| newest.borrow().clone());
                // A newer one may have come meanwhile.
                let (wanted, sampler) = match (path, &source) {
                    (Some((step, path)), Some((trainer, _))) => (
                        Some((*trainer, step)),
                        service.create_sampling_client(path).await?,
                    ),
                    _ => (None, service.create_sampling_client(work::MODEL).await?),
                };
                &current.insert((wanted, sampler)).1
            }
        };
        let began = Instant::now();
        let drawn = work::draw(sampler, number).await?;
        sampled.latencies.push(began.elapsed());
        let of = current.as_ref().and_then(|(of, _)| *of);
        sampled.drawn.entry(of).or_default().push(drawn);
        number += 1;
    }
    Ok(sampled)
}
