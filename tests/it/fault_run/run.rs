//! The run: training steps in order, and samples from the weights in between.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tinker_client::{
    AdamParams, Datum, Loss, Pending, SampleOptions, SamplingClient, SamplingParams, ServiceClient,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::size::Size;
use crate::support::{END, MODEL, lora, prompt, tokens};

/// Most steps in flight.
const AHEAD: usize = 8;

/// Tokens of a sample and the bits of their log probabilities.
type Drawn = Vec<(u32, u32)>;

/// Results of a run.
pub(crate) struct Run {
    /// Samples by number; a duplicate is an error.
    pub(crate) samples: BTreeMap<usize, Drawn>,
    /// Bits of each step's loss.
    pub(crate) losses: Vec<u64>,
    /// The files of the checkpoint saved at the end.
    pub(crate) weights: BTreeMap<String, Vec<u8>>,
    /// Most samples in flight.
    pub(crate) most: usize,
    /// Time by tokio's clock.
    pub(crate) took: Duration,
}

/// Number of samples in flight.
struct Crowd {
    places: Arc<Semaphore>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Run {
    pub(crate) async fn make(
        size: Size,
        service: &ServiceClient,
        data_dir: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let began = Instant::now();
        let training = service.create_lora_training_client(MODEL, lora()).await?;
        let crowd = Arc::new(Crowd {
            places: Arc::new(Semaphore::new(size.in_flight)),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let mut sampling = JoinSet::new();
        let mut passes = Vec::new();
        let mut losses = Vec::new();
        let each = size.samples / size.samplers();
        for step in 0..size.steps {
            if step % size.refresh == 0 {
                let first = step / size.refresh * each;
                let sampler = training.save_weights_and_get_sampling_client();
                sampling.spawn(draw_all(sampler, first..first + each, Arc::clone(&crowd)));
            }
            passes.push((
                training.forward_backward(batch(step), Loss::cross_entropy()),
                training.optim_step(AdamParams::new(1e-3)),
            ));
            if passes.len() == AHEAD {
                settle(&mut losses, &mut passes).await?;
            }
        }
        settle(&mut losses, &mut passes).await?;
        let mut samples = BTreeMap::new();
        for drawn in sampling.join_all().await {
            for (number, drawn) in drawn? {
                let twice = samples.insert(number, drawn).is_some();
                assert!(!twice, "sample {number} was delivered twice");
            }
        }
        training.save_state("final").await?;
        Ok(Self {
            samples,
            losses,
            weights: files(data_dir, training.model_id().as_str())?,
            most: crowd.most.load(Ordering::SeqCst),
            took: began.elapsed(),
        })
    }
}

type Step = (
    Pending<tinker_client::ForwardBackwardOutput>,
    Pending<tinker_client::OptimStepOutput>,
);

async fn settle(losses: &mut Vec<u64>, passes: &mut Vec<Step>) -> Result<(), Box<dyn Error>> {
    for (pass, update) in passes.drain(..) {
        let loss = pass.await?.loss_sum().ok_or("a pass has no loss")?;
        losses.push(loss.to_bits());
        update.await?;
    }
    Ok(())
}

type Numbered = Vec<(usize, Drawn)>;

/// Draws these samples with a bounded number in flight.
async fn draw_all(
    sampler: Pending<SamplingClient>,
    numbers: std::ops::Range<usize>,
    crowd: Arc<Crowd>,
) -> Result<Numbered, tinker_client::Error> {
    let sampler = sampler.await?;
    let mut drawing = JoinSet::new();
    for number in numbers {
        let place = Arc::clone(&crowd.places).acquire_owned().await;
        let (sampler, crowd) = (sampler.clone(), Arc::clone(&crowd));
        drawing.spawn(async move {
            let now = crowd.now.fetch_add(1, Ordering::SeqCst) + 1;
            crowd.most.fetch_max(now, Ordering::SeqCst);
            let drawn = draw(&sampler, number).await;
            crowd.now.fetch_sub(1, Ordering::SeqCst);
            drop(place);
            Ok((number, drawn?))
        });
    }
    drawing.join_all().await.into_iter().collect()
}

async fn draw(sampler: &SamplingClient, number: usize) -> Result<Drawn, tinker_client::Error> {
    let params = SamplingParams::default()
        .with_max_tokens(6)
        .with_seed(number as u64);
    let asked = prompt(&format!("line {number} ->"));
    let response = sampler.sample(asked, SampleOptions::new(params)).await?;
    let [sequence] = &*response.sequences else {
        panic!(
            "one sequence was asked for, not {}",
            response.sequences.len()
        );
    };
    let logprobs = sequence.logprobs.iter().flatten();
    let logprobs = logprobs.map(|logprob| logprob.to_bits());
    let drawn: Drawn = sequence.tokens.iter().copied().zip(logprobs).collect();
    assert_eq!(drawn.len(), sequence.tokens.len(), "a log probability each");
    Ok(drawn)
}

/// The data differ for each step, so that a skipped or repeated step changes all later results.
fn batch(step: usize) -> Vec<Datum> {
    let pair = |n: usize| {
        let (before, after) = (format!("step {step} {n} ->"), format!(" {}", step * n));
        Datum::supervised(&tokens(&before), &[tokens(&after), vec![END]].concat())
    };
    (1..=4).map(pair).collect()
}

/// The files of the checkpoint `final`, except the one that contains dates.
fn files(data_dir: &Path, model: &str) -> Result<BTreeMap<String, Vec<u8>>, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    let run = model.replace(':', "_");
    let folder = data_dir.join("checkpoints").join(run).join("weights/final");
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name != "checkpoint.json" {
            found.insert(name, std::fs::read(file.path())?);
        }
    }
    for name in ["adapter_model.safetensors", "optimizer.safetensors"] {
        assert!(found.contains_key(name), "{name} is missing");
    }
    Ok(found)
}
