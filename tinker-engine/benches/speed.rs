//! Speed of training and sampling on this machine.
//!
//! `cargo bench -p tinker-engine --bench speed -- [--threads N] [--runs N] ["WORKLOAD"...]` runs each workload and prints
//! the units it did, the seconds they took, and the rate. With `--runs` a workload runs that many times after the first,
//! so that instructions can be counted; otherwise for 0.3 seconds. Without workloads it reads them from standard input,
//! one a line, and answers each with units and seconds: so `cargo xtask bench engine` alternates it with PyTorch.
//!
//! Workloads are a verb, a shape, and settings:
//!
//! - `train S batch=8 length=256 rank=16 adapters=1`: `batch` sequences for each adapter, and a step of AdamW;
//! - `sample M batch=16 prompt=16 length=128 rank=16 adapters=2`: `batch` sequences in all, shared among the adapters;
//!   without adapters, from the base; with `samples=4` four continue each prompt; with `decode=1` time counts from when
//!   all have started until the first ends; with `int8=1` tokens are generated with weights of 8 bits;
//! - `pretrain S batch=16 length=256`: every weight;
//! - `product m=256 n=3072 k=512 half=1 count=40`: products of that shape, `count` matrices in turn, on all threads
//!   at once; units are operations.
//!
//! S is d 128, 4 layers, 4 heads (2 of keys), ff 384, vocabulary 1,024; M is d 512, 8 layers, 8 heads (4 of keys),
//! ff 1,536, vocabulary 4,096; tiny is the built-in model's shape. Adapters are on attention and MLP.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a program that measures"
)]

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tinker_engine::backend::{
    AdamStep, AdapterId, AdapterSpec, Backend, LossKind, SampleJob, StopRule, TrainBatch,
    TrainDatum,
};
use tinker_engine::pretrain::{Pretrainer, StepConstants};
use tinker_engine::probe::{instruction_set, product};
use tinker_engine::{CpuBackend, ModelConfig};

/// Runs of a workload after the first; with 0, as many as take [`LONG_ENOUGH`].
static RUNS: AtomicU64 = AtomicU64::new(0);

/// Shortest duration of a measurement.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut workloads = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--threads" {
            threads = arguments.next().unwrap().parse().unwrap();
        } else if argument == "--runs" {
            let runs = arguments.next().unwrap().parse().unwrap();
            RUNS.store(runs, Ordering::Relaxed);
        } else {
            workloads.push(argument);
        }
    }
    let mut bench = Bench {
        threads,
        backends: HashMap::new(),
        adapters: HashMap::new(),
    };
    if workloads.is_empty() {
        println!("{} {threads}", instruction_set());
        for line in std::io::stdin().lines() {
            let (units, seconds) = bench.measure(&line.unwrap());
            println!("{units} {seconds}");
            std::io::stdout().flush().unwrap();
        }
    }
    for workload in workloads {
        let (units, seconds) = bench.measure(&workload);
        let rate = units / seconds;
        println!("{workload}: {units} in {seconds:.3} s, {rate:.4e} a second");
    }
}

/// Models and adapters, kept from workload to workload.
struct Bench {
    threads: usize,
    backends: HashMap<String, CpuBackend>,
    adapters: HashMap<(String, usize), Vec<AdapterId>>,
}

struct Workload<'a> {
    shape: &'a str,
    settings: HashMap<&'a str, usize>,
}

impl Workload<'_> {
    fn get(&self, name: &str, default: usize) -> usize {
        self.settings.get(name).copied().unwrap_or(default)
    }
}

impl Bench {
    fn measure(&mut self, line: &str) -> (f64, f64) {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap();
        let (settings, shape): (Vec<&str>, Vec<&str>) = words.partition(|w| w.contains('='));
        let workload = Workload {
            shape: shape.first().copied().unwrap_or_default(),
            settings: settings
                .into_iter()
                .map(|w| w.split_once('=').unwrap())
                .map(|(name, value)| (name, value.parse().unwrap()))
                .collect(),
        };
        match verb {
            "train" => self.train(&workload),
            "sample" => self.sample(&workload),
            "pretrain" => self.pretrain(&workload),
            "product" => self.product(&workload),
            _ => panic!("no workload is called {verb}"),
        }
    }

    fn backend(&mut self, shape: &str) -> &mut CpuBackend {
        let threads = self.threads;
        self.backends.entry(shape.to_owned()).or_insert_with(|| {
            let backend = CpuBackend::random(config(shape), 0).unwrap();
            backend.with_threads(threads)
        })
    }

    /// A backend that generates with weights of 8 bits, without adapters.
    fn int8_backend(&mut self, shape: &str) -> &mut CpuBackend {
        let threads = self.threads;
        let key = format!("{shape} int8");
        self.backends.entry(key).or_insert_with(|| {
            let backend = CpuBackend::random(config(shape), 0).unwrap();
            backend.with_threads(threads).with_int8_decode()
        })
    }

    fn adapters(&mut self, shape: &str, rank: usize, count: usize) -> Vec<AdapterId> {
        let key = (shape.to_owned(), rank);
        let mut ids = self.adapters.remove(&key).unwrap_or_default();
        while ids.len() < count {
            let spec = AdapterSpec {
                rank,
                seed: ids.len() as u64,
                attention: true,
                mlp: true,
                unembed: false,
            };
            ids.push(self.backend(shape).create(&spec).unwrap());
        }
        let some = ids[..count].to_vec();
        self.adapters.insert(key, ids);
        some
    }

    fn train(&mut self, workload: &Workload<'_>) -> (f64, f64) {
        let (batch, length) = (workload.get("batch", 8), workload.get("length", 256));
        let (rank, count) = (workload.get("rank", 16), workload.get("adapters", 1));
        let vocab = config(workload.shape).vocab_size;
        let data = (0..batch).map(|i| {
            let all = sequence(i, length + 1, vocab);
            TrainDatum {
                tokens: all[..length].to_vec(),
                targets: all[1..].to_vec(),
                targets_per_position: 1,
                weights: Some((0..length).map(|t| 0.5 + (t % 2) as f32).collect()),
                ..TrainDatum::default()
            }
        });
        let train = TrainBatch {
            data: data.collect(),
            loss: LossKind::CrossEntropy,
            forward_only: false,
        };
        let step = AdamStep {
            learning_rate: 1e-4,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-12,
            weight_decay: 0.0,
            grad_clip_norm: 0.0,
        };
        let adapters = self.adapters(workload.shape, rank, count);
        let backend = self.backend(workload.shape);
        time((count * batch * length) as f64, || {
            for adapter in &adapters {
                backend.train(*adapter, &train).unwrap();
                backend.step(*adapter, &step).unwrap();
            }
        })
    }

    fn sample(&mut self, workload: &Workload<'_>) -> (f64, f64) {
        let (batch, length) = (workload.get("batch", 1), workload.get("length", 240));
        let (prompt, rank) = (workload.get("prompt", 16), workload.get("rank", 16));
        let samples = workload.get("samples", 1);
        let jobs = batch / samples;
        let vocab = config(workload.shape).vocab_size;
        let adapters = self.adapters(workload.shape, rank, workload.get("adapters", 0));
        let backend = match workload.get("int8", 0) {
            1 => self.int8_backend(workload.shape),
            _ => self.backend(workload.shape),
        };
        let snapshots: Vec<_> = adapters
            .iter()
            .map(|id| backend.snapshot(*id).unwrap())
            .collect();
        let job = |i: usize| SampleJob {
            weights: snapshots.get(i % snapshots.len().max(1)).cloned(),
            prompt: sequence(i, prompt, vocab),
            num_samples: samples,
            max_tokens: Some(length),
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            seed: Some(i as u64),
            stop: StopRule::Never,
            prompt_logprobs: false,
            prompt_logprobs_last_n: None,
            topk_prompt_logprobs: 0,
            target_prompt_logprobs: Vec::new(),
            prompt_alternatives: 0,
            topk_sample_logprobs: 0,
        };
        if workload.get("decode", 0) == 1 {
            // Cached prompts start within a step or two of each other.
            for i in 0..jobs {
                let first = SampleJob {
                    max_tokens: Some(1),
                    ..job(i)
                };
                backend.submit(first).unwrap();
            }
            while backend.live_jobs() > 0 {
                backend.advance();
            }
            let (mut tokens, mut seconds) = (0, 0.0);
            while seconds < LONG_ENOUGH.as_secs_f64() {
                let ids: Vec<_> = (0..jobs).map(|i| backend.submit(job(i)).unwrap()).collect();
                let mut begun = 0;
                while begun < batch {
                    backend.advance();
                    begun = 0;
                    for id in &ids {
                        backend.peek(*id, &mut |_, _, _| begun += 1);
                    }
                }
                let start = Instant::now();
                while backend.live_jobs() == jobs {
                    backend.advance();
                    tokens += batch;
                }
                seconds += start.elapsed().as_secs_f64();
                for id in ids {
                    backend.cancel(id);
                }
            }
            return (tokens as f64, seconds);
        }
        time((batch * length) as f64, || {
            for i in 0..jobs {
                backend.submit(job(i)).unwrap();
            }
            while backend.live_jobs() > 0 {
                backend.advance();
            }
        })
    }

    fn pretrain(&mut self, workload: &Workload<'_>) -> (f64, f64) {
        let (batch, length) = (workload.get("batch", 16), workload.get("length", 256));
        let config = config(workload.shape);
        let data: Vec<_> = (0..batch)
            .map(|i| sequence(i, length + 1, config.vocab_size))
            .collect();
        let pretrainer = Pretrainer::new(config, 0).unwrap();
        let mut pretrainer = pretrainer.with_threads(self.threads);
        time((batch * length) as f64, || {
            pretrainer.step(&data, &StepConstants::new(1e-3)).unwrap();
        })
    }

    fn product(&self, workload: &Workload<'_>) -> (f64, f64) {
        let [m, n, k] = ["m", "n", "k"].map(|name| workload.get(name, 512));
        let (half, count) = (workload.get("half", 0) == 1, workload.get("count", 1));
        let done = AtomicU64::new(0);
        let enough = AtomicBool::new(false);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    let mut runs: Vec<_> = (0..count).map(|_| product(m, n, k, half)).collect();
                    while !enough.load(Ordering::Relaxed) {
                        for run in &mut runs {
                            run();
                        }
                        done.fetch_add(count as u64, Ordering::Relaxed);
                    }
                });
            }
            // Counts the runs while all threads are busy.
            std::thread::sleep(LONG_ENOUGH);
            let (before, then) = (done.load(Ordering::Relaxed), start.elapsed());
            std::thread::sleep(LONG_ENOUGH);
            let during = done.load(Ordering::Relaxed) - before;
            let seconds = start.elapsed().saturating_sub(then).as_secs_f64();
            enough.store(true, Ordering::Relaxed);
            ((2 * m * n * k) as f64 * during as f64, seconds)
        })
    }
}

fn sequence(seed: usize, length: usize, vocab: usize) -> Vec<u32> {
    (0..length)
        .map(|t| ((t * 7 + seed * 13 + t * t) % vocab) as u32)
        .collect()
}

fn config(shape: &str) -> ModelConfig {
    let mut config = ModelConfig::tiny();
    match shape {
        "tiny" => {}
        "S" => config.vocab_size = 1024,
        "M" => {
            config.hidden_size = 512;
            config.num_hidden_layers = 8;
            config.num_attention_heads = 8;
            config.num_key_value_heads = 4;
            config.head_dim = 64;
            config.intermediate_size = 1536;
            config.vocab_size = 4096;
        }
        _ => panic!("no shape is called {shape}; tiny, S and M are"),
    }
    config
}

/// Runs once to warm up and then repeatedly; returns the units done and the seconds they took.
fn time(units: f64, mut run: impl FnMut()) -> (f64, f64) {
    run();
    let start = Instant::now();
    let mut runs = 0.0;
    let wanted = RUNS.load(Ordering::Relaxed) as f64;
    while runs < wanted || wanted == 0.0 && start.elapsed() < LONG_ENOUGH {
        run();
        runs += 1.0;
    }
    (units * runs, start.elapsed().as_secs_f64())
}
