//! Loads the model of a folder, trains a step, samples, and prints time and memory.
//!
//! ```sh
//! cargo xtask random-model --shape qwen3-0.5b /tmp/half-billion
//! cargo run --release -p tinker-engine --example folder -- /tmp/half-billion [THREADS [int8]]
//! ```
//!
//! With `int8` it samples with weights of 8 bits.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures"
)]

use std::time::Instant;

use tinker_engine::backend::{
    AdamStep, AdapterSpec, Backend, LossKind, SampleJob, StopRule, TrainBatch, TrainDatum,
};
use tinker_engine::{CpuBackend, ModelFolder};

/// Sequences of a step, and their tokens.
const SEQUENCES: usize = 8;
const LENGTH: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("give a folder")?;
    let threads = arguments.next().map_or(Ok(2), |n| n.parse())?;
    let bytes: u64 = std::fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|file| file.len())
        .sum();
    let start = Instant::now();
    let folder = ModelFolder::new(folder).with_context(1024);
    let mut backend = CpuBackend::from_folder(&folder)?.with_threads(threads);
    if arguments.next().is_some_and(|word| word == "int8") {
        backend = backend.with_int8_decode();
    }
    let info = backend.model().clone();
    println!(
        "{}: {:.0} million parameters, {:.0} MB",
        info.name,
        info.parameters as f64 / 1e6,
        bytes as f64 / 1e6
    );
    report("load", start, bytes);

    let start = Instant::now();
    let spec = AdapterSpec {
        rank: 16,
        seed: 0,
        attention: true,
        mlp: true,
        unembed: false,
    };
    let adapter = backend.create(&spec)?;
    let token = |i: usize| (i * 7919 % info.vocab_size) as u32;
    let datum = |d: usize| TrainDatum {
        tokens: (0..LENGTH).map(|t| token(d * LENGTH + t)).collect(),
        targets: (0..LENGTH).map(|t| token(d * LENGTH + t + 1)).collect(),
        targets_per_position: 1,
        ..TrainDatum::default()
    };
    let data = (0..SEQUENCES).map(datum).collect();
    let batch = TrainBatch {
        data,
        loss: LossKind::CrossEntropy,
        forward_only: false,
    };
    let loss = backend.train(adapter, &batch)?.loss_sum;
    let tokens = SEQUENCES * LENGTH;
    let speed = tokens as f64 / start.elapsed().as_secs_f64();
    println!(
        "loss per token {:.3}, {speed:.0} tokens/s",
        loss / tokens as f64
    );
    report("forward and backward", start, bytes);

    let start = Instant::now();
    let constants = AdamStep {
        learning_rate: 1e-4,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.0,
        grad_clip_norm: 1.0,
    };
    backend.step(adapter, &constants)?;
    report("optimizer step", start, bytes);

    for num_samples in [1, 8] {
        let start = Instant::now();
        backend.submit(SampleJob {
            weights: Some(backend.snapshot(adapter)?),
            prompt: (0..16).map(token).collect(),
            num_samples,
            max_tokens: Some(16),
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            seed: Some(0),
            stop: StopRule::Never,
            prompt_logprobs: false,
            prompt_logprobs_last_n: None,
            topk_prompt_logprobs: 0,
            target_prompt_logprobs: Vec::new(),
            prompt_alternatives: 0,
            topk_sample_logprobs: 0,
        })?;
        while backend.live_jobs() > 0 {
            backend.advance();
        }
        let speed = (num_samples * 16) as f64 / start.elapsed().as_secs_f64();
        println!("{num_samples} samples of 16 tokens: {speed:.1} tokens/s");
        report("sample", start, bytes);
    }
    Ok(())
}

/// Prints a duration and the memory of the process: current, peak, and relative to the weights.
fn report(what: &str, start: Instant, bytes: u64) {
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> f64 {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        number.unwrap_or(f64::NAN) * 1024.0
    };
    let (now, most) = (field("VmRSS:"), field("VmHWM:"));
    println!(
        "{what:>22}: {seconds:6.2} s; {:.2} GB in memory, {:.2} GB at most, {:.2} times the weights",
        now / 1e9,
        most / 1e9,
        most / bytes as f64
    );
}
