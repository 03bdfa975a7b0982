//! Share of its time that a server works during training runs: a stand-in whose passes and samples take 50 ms.
//!
//! The rest of the server is real, as are the client, the loop and the socket between them.

#![expect(clippy::print_stdout, reason = "a table for people")]
#![expect(
    clippy::disallowed_methods,
    reason = "the stand-in takes time, which cannot be paused"
)]

use std::error::Error;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tinker_client::{
    AdamParams, Config, Datum, LoraConfig, Loss, SamplingClient, SamplingSource, ServiceClient,
    TrainingClient,
};
use tinker_data::{Index, LengthLimit, Prompt, ReadOptions, Renderer};
use tinker_engine::ModelConfig;
use tinker_engine::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, BackendError, BaseModelInfo, JobId,
    SampleJob, SampleOutput, SampledTokens, SamplingWeights, TrainBatch, TrainOutput,
};
use tinker_local::{CpuBackend, LocalEngine};
use tinker_train::{
    Answered, Dpo, Episodes, Pairs, Problem, Reaction, Recipe, Reward, Rl, RunFolder, Settings,
    Supervised, Trainer, environment_from_fn, pair_logprobs,
};
use tokio::net::TcpListener;

/// Duration of a pass, and of all samples that are drawn at once.
const WORK: Duration = Duration::from_millis(50);
/// Number of tokens of a sample, each of which takes its share of the time.
const TOKENS: u32 = 10;
/// Number of steps of a run.
const STEPS: usize = 40;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The times at which the stand-in worked.
#[derive(Clone, Default)]
struct Clock(Arc<Mutex<Vec<(Instant, Instant)>>>);

impl Clock {
    fn work(&self, duration: Duration) {
        let begin = Instant::now();
        std::thread::sleep(duration);
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.push((begin, Instant::now()));
    }

    /// Share of the time between the first and the last work that was work, and that time.
    fn share(&self) -> (f64, Duration) {
        let times = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return (0.0, Duration::ZERO);
        };
        let whole = last.1 - first.0;
        let work: Duration = times.iter().map(|(begin, end)| *end - *begin).sum();
        (work.as_secs_f64() / whole.as_secs_f64(), whole)
    }
}

/// An engine that computes nothing and takes its time.
struct Paced {
    inner: CpuBackend,
    clock: Clock,
    jobs: Vec<(JobId, SampleJob, u32)>,
    next: u64,
}

impl Backend for Paced {
    fn model(&self) -> &BaseModelInfo {
        self.inner.model()
    }
    fn create(&mut self, spec: &AdapterSpec) -> std::result::Result<AdapterId, BackendError> {
        self.inner.create(spec)
    }
    fn remove(&mut self, adapter: AdapterId) {
        self.inner.remove(adapter);
    }
    fn train(
        &mut self,
        _: AdapterId,
        batch: &TrainBatch,
    ) -> std::result::Result<TrainOutput, BackendError> {
        self.clock.work(WORK);
        let targets = batch.data.iter().map(|datum| datum.targets.len());
        Ok(TrainOutput {
            logprobs: targets.map(|targets| vec![-0.5; targets]).collect(),
            loss_sum: 1.0,
            metrics: Vec::new(),
        })
    }
    fn step(
        &mut self,
        _: AdapterId,
        _: &AdamStep,
    ) -> std::result::Result<Vec<(String, f64)>, BackendError> {
        Ok(Vec::new())
    }
    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> std::result::Result<AdapterState, BackendError> {
        self.inner.export(adapter, with_optimizer)
    }
    fn import(&mut self, state: &AdapterState) -> std::result::Result<AdapterId, BackendError> {
        self.inner.import(state)
    }
    fn snapshot(&self, adapter: AdapterId) -> std::result::Result<SamplingWeights, BackendError> {
        self.inner.snapshot(adapter)
    }
    fn restore(&self, state: &AdapterState) -> std::result::Result<SamplingWeights, BackendError> {
        self.inner.restore(state)
    }
    fn read_weights(
        &self,
        from: &mut dyn Read,
    ) -> std::result::Result<SamplingWeights, BackendError> {
        self.inner.read_weights(from)
    }
    fn submit(&mut self, job: SampleJob) -> std::result::Result<JobId, BackendError> {
        let id = JobId(self.next);
        self.next += 1;
        let tokens = job
            .max_tokens
            .map_or(TOKENS, |most| TOKENS.min(most as u32));
        self.jobs.push((id, job, tokens));
        Ok(id)
    }
    fn cancel(&mut self, job: JobId) {
        self.jobs.retain(|(id, ..)| *id != job);
    }
    fn advance(&mut self) -> Vec<(JobId, std::result::Result<SampleOutput, BackendError>)> {
        if self.jobs.is_empty() {
            return Vec::new();
        }
        self.clock.work(WORK / TOKENS);
        for (_, _, left) in &mut self.jobs {
            *left -= 1;
        }
        let ended = self.jobs.extract_if(.., |(_, _, left)| *left == 0);
        ended.map(|(id, job, _)| (id, Ok(sampled(&job)))).collect()
    }
    fn live_jobs(&self) -> usize {
        self.jobs.len()
    }
}

/// Different sequences of one length.
fn sampled(job: &SampleJob) -> SampleOutput {
    let tokens = job
        .max_tokens
        .unwrap_or(TOKENS as usize)
        .min(TOKENS as usize);
    let first = job.seed.unwrap_or_default() as usize % 26;
    let sequence = |at: usize| SampledTokens {
        tokens: vec![u32::from(b'a') + ((first + at) % 26) as u32; tokens],
        logprobs: vec![-0.5; tokens],
        topk: Vec::new(),
        stopped: true,
    };
    let of_prompt = || {
        let mut logprobs = vec![-0.5; job.prompt.len()];
        logprobs[0] = f32::NAN;
        logprobs
    };
    SampleOutput {
        sequences: (0..job.num_samples).map(sequence).collect(),
        prompt_logprobs: job.prompt_logprobs.then(of_prompt),
        topk_prompt_logprobs: None,
        target_prompt_logprobs: Vec::new(),
        prompt_alternatives: Vec::new(),
        cache_hit_tokens: 0,
    }
}

fn rows(of: impl Fn(usize) -> String) -> Result<Index> {
    let text: String = (0..400).map(of).collect();
    let mut rows = Index::new(ReadOptions::new());
    rows.add_source("rows.jsonl", std::io::Cursor::new(text))?;
    Ok(rows)
}

struct Bench {
    clock: Clock,
    service: ServiceClient,
    training: TrainingClient,
    model: String,
}

impl Bench {
    async fn measure(&self, name: &str, recipe: &dyn Recipe) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut run = RunFolder::create(&folder.path().join("run"), &name)?;
        let mut settings = Settings::new(STEPS, 1e-3);
        settings.name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let trainer = Trainer::new(settings);
        // Starts the measurement anew.
        let _before = self.clock.share();
        trainer
            .run(&self.training, recipe, &mut run, &mut |_| ())
            .await?;
        let (share, time) = self.clock.share();
        println!(
            "| {name} | {:.1} | {:.1} |",
            time.as_secs_f64(),
            100.0 * share
        );
        Ok(())
    }

    /// Steps of a small batch without a trainer, each begun when the last one has ended.
    async fn measure_waiting(&self) -> Result<()> {
        let data = vec![Datum::supervised(&[1, 2, 3], &[4, 5]); 4];
        let _before = self.clock.share();
        for _ in 0..STEPS {
            let pass = self
                .training
                .forward_backward(data.clone(), Loss::cross_entropy());
            pass.await?;
            self.training.optim_step(AdamParams::new(1e-3)).await?;
        }
        let (share, time) = self.clock.share();
        println!(
            "| steps awaited one by one | {:.1} | {:.1} |",
            time.as_secs_f64(),
            100.0 * share
        );
        Ok(())
    }

    async fn base(&self) -> Result<SamplingClient> {
        let base = SamplingSource::BaseModel(self.model.clone());
        Ok(self.service.create_sampling_client(base).await?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut model = ModelConfig::tiny();
    (model.hidden_size, model.intermediate_size) = (32, 48);
    (model.num_hidden_layers, model.num_attention_heads) = (1, 1);
    (model.num_key_value_heads, model.head_dim) = (1, 16);
    let clock = Clock::default();
    let paced = Paced {
        inner: CpuBackend::random(model, 0)?,
        clock: clock.clone(),
        jobs: Vec::new(),
        next: 0,
    };
    let engine = LocalEngine::builder().backend(Box::new(paced)).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(tinker_local::serve(
        listener,
        engine,
        std::future::pending(),
    ));
    let service = ServiceClient::new(Config::new(url))?;
    let capabilities = service.server_capabilities().await?;
    let model = capabilities.supported_models.first();
    let model = model.and_then(|model| model.model_name.clone());
    let model = model.ok_or("the server has no model")?;
    let lora = LoraConfig::new(4);
    let training = service.create_lora_training_client(&model, lora).await?;
    let bench = Bench {
        clock,
        service,
        training,
        model,
    };
    println!("| run of {STEPS} steps | seconds | share of work in 100 |\n|---|---|---|");
    bench.measure_waiting().await?;

    let plain = Renderer::plain();
    let lines = rows(|at| format!("{{\"prompt\":\"say {at}:\",\"completion\":\" {at}\"}}\n"))?;
    let examples = lines.encode(&plain, LengthLimit::Unknown, &|_| ())?;
    let recipe = Supervised::new(examples, 32, 0);
    bench.measure("supervised", &recipe).await?;

    let pairs = rows(|at| {
        format!("{{\"prompt\":\"say {at}:\",\"chosen\":\" {at}\",\"rejected\":\" no\"}}\n")
    })?;
    let pairs = Pairs::of_rows(pairs, plain.clone());
    let all: Vec<usize> = (0..pairs.len()).collect();
    let reference = pair_logprobs(&bench.base().await?, &pairs, &all).await?;
    let recipe = Dpo::new(pairs, reference.into_iter().enumerate(), 32, 0)?;
    bench.measure("dpo", &recipe).await?;

    let problem = |at: usize| {
        let prompt = Prompt::Text(format!("say {at}:"));
        let problem = Problem::encode(&plain, &prompt, String::new(), Vec::new());
        problem.map_err(|error| error.to_string())
    };
    let problems = (0..64)
        .map(problem)
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let first = |one: Answered| f64::from(one.answer.bytes().next().unwrap_or_default());
    let reward = Reward::from_fn(move |answers| {
        let rewards: Vec<f64> = answers.into_iter().map(first).collect();
        async move { Ok(rewards) }
    });
    let mut recipe = Rl::new(problems, plain.clone(), reward, 16, 0)?;
    bench.measure("rl, groups of 8", &recipe).await?;
    recipe.reference = Some((bench.base().await?, 0.01));
    bench.measure("rl, groups of 8, kl", &recipe).await?;

    let ask = |_| {
        let mut turns = 0;
        environment_from_fn("say: ", move |action| {
            turns += 1;
            let reward = f64::from(action.tokens[0]);
            Ok(if turns < 2 {
                Reaction::next(" again: ")
            } else {
                Reaction::end(reward)
            })
        })
    };
    let recipe = Episodes::new(64, ask, plain, 8, 0)?;
    bench
        .measure("episodes of two turns, groups of 8", &recipe)
        .await?;
    Ok(())
}
