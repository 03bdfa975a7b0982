//! Prints how fast the engine trains and samples on this machine, beside the speed of its products.
//!
//! `cargo bench -p tinker-local --bench speed -- [--threads N] [products] [tiny] [S] [M]`
//!
//! S is d 128, 4 layers, 4 heads (2 of keys), ff 384, vocabulary 1,024, sequences of 256 tokens;
//! M is d 512, 8 layers, 8 heads (4 of keys), ff 1,536, vocabulary 4,096, sequences of 512.
//! tiny has the shape of the built-in model and is given 32 short sequences of 40 tokens a step.
//! Rank 16 on attention and MLP, cross entropy, AdamW. Each number is the best of a few rounds, as
//! the machine may be busy with other things.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a program that measures"
)]

use std::time::Instant;

use tinker_local::backend::{
    AdamStep, AdapterSpec, Backend, LossKind, SampleJob, SampleWeights, StopRule, TrainBatch,
    TrainDatum,
};
use tinker_local::engine::pretrain::{Pretrainer, StepConstants};
use tinker_local::engine::probe::{instruction_set, product};
use tinker_local::engine::{CpuBackend, ModelConfig};

const ROUNDS: usize = 5;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let (mut threads, mut shapes) = (2, Vec::new());
    while let Some(argument) = arguments.next() {
        if argument == "--threads" {
            threads = arguments.next().unwrap().parse().unwrap();
        } else {
            shapes.push(argument);
        }
    }
    println!("instructions: {}, threads: {threads}", instruction_set());
    if shapes.is_empty() {
        shapes = ["products", "tiny", "S", "M"].map(str::to_owned).to_vec();
    }
    for shape in shapes {
        if shape == "products" {
            products(false);
            products(true);
        } else {
            measure(&shape, threads);
        }
    }
}

fn products(half: bool) {
    let kind = if half { "f16" } else { "f32" };
    for (m, n, k) in [
        (256, 768, 128),
        (256, 128, 384),
        (256, 3072, 512),
        (16, 768, 128),
        (1, 768, 128),
        (1, 3072, 512),
    ] {
        let mut run = product(m, n, k, half);
        let repeats = 400_000_000 / (2 * m * n * k) + 1;
        let seconds = best(|| (0..repeats).for_each(|_| run()));
        let flops = (2 * m * n * k * repeats) as f64;
        println!(
            "product {m:>4} x {n:>4} x {k:>4}, {kind} weights: {:>6.1} GFLOP/s on one thread",
            flops / seconds / 1e9
        );
    }
    // From memory: 40 matrices of 6 or 3 MB in turn, as a larger model reads its weights for every token.
    for m in [1, 4, 8, 16] {
        let (n, k) = (3072, 512);
        let mut matrices: Vec<_> = (0..40).map(|_| product(m, n, k, half)).collect();
        let seconds = best(|| matrices.iter_mut().for_each(|run| run()));
        let flops = (40 * 2 * m * n * k) as f64;
        println!(
            "product {m:>4} x {n:>4} x {k:>4}, {kind} weights from memory: {:>6.1} GFLOP/s",
            flops / seconds / 1e9
        );
    }
}

/// The model, sequences of a step, and their length.
fn config(shape: &str) -> (ModelConfig, u32, usize) {
    let mut config = ModelConfig::tiny();
    if shape == "tiny" {
        return (config, 32, 40);
    }
    config.vocab_size = 1024;
    if shape == "S" {
        return (config, 8, 256);
    }
    config.hidden_size = 512;
    config.num_hidden_layers = 8;
    config.num_attention_heads = 8;
    config.num_key_value_heads = 4;
    config.head_dim = 64;
    config.intermediate_size = 1536;
    config.vocab_size = 4096;
    (config, 8, 512)
}

fn measure(shape: &str, threads: usize) {
    let (config, count, length) = config(shape);
    let vocab = config.vocab_size as u32;
    let sequence = |seed: u32| -> Vec<u32> {
        (0..=length as u32)
            .map(|t| (t * 7 + seed * 13 + t * t) % vocab)
            .collect()
    };

    let mut backend = CpuBackend::random(config.clone(), 0)
        .unwrap()
        .with_threads(threads);
    let spec = AdapterSpec {
        rank: 16,
        seed: 0,
        attention: true,
        mlp: true,
        unembed: false,
    };
    let adapter = backend.create(&spec).unwrap();
    let data = (0..count).map(|i| {
        let all = sequence(i);
        TrainDatum {
            tokens: all[..length].to_vec(),
            targets: all[1..].to_vec(),
            targets_per_position: 1,
            ..TrainDatum::default()
        }
    });
    let batch = TrainBatch {
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
    let seconds = best(|| {
        backend.train(adapter, &batch).unwrap();
        backend.step(adapter, &step).unwrap();
    });
    println!(
        "{shape} train: {:>9.0} tok/s",
        (count as usize * length) as f64 / seconds
    );

    let frozen = backend.freeze(adapter).unwrap();
    for (name, weights, sequences) in [
        ("base", SampleWeights::Base, 1),
        ("base", SampleWeights::Base, 16),
        ("one adapter", SampleWeights::Frozen(frozen), 16),
    ] {
        let job = |seed| SampleJob {
            weights: weights.clone(),
            prompt: sequence(seed)[..16].to_vec(),
            num_samples: 1,
            max_tokens: Some(length - 16),
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            seed: Some(u64::from(seed)),
            stop: StopRule::Never,
            prompt_logprobs: false,
            prompt_logprobs_last_n: None,
            topk_prompt_logprobs: 0,
            target_prompt_logprobs: Vec::new(),
            prompt_alternatives: 0,
            topk_sample_logprobs: 0,
        };
        let seconds = best(|| {
            for i in 0..sequences {
                backend.submit(job(i)).unwrap();
            }
            while backend.live_jobs() > 0 {
                backend.advance();
            }
        });
        let tokens = sequences as usize * (length - 16);
        println!(
            "{shape} sample, {name}, {sequences} at once: {:>9.0} tok/s",
            tokens as f64 / seconds
        );
    }

    if shape == "S" {
        let mut pretrainer = Pretrainer::new(config, 0).unwrap().with_threads(threads);
        let data: Vec<_> = (0..16).map(sequence).collect();
        let seconds = best(|| {
            pretrainer.step(&data, &StepConstants::new(1e-3)).unwrap();
        });
        println!(
            "{shape} pretrain: {:>9.0} tok/s",
            (16 * length) as f64 / seconds
        );
    }
}

fn best(mut run: impl FnMut()) -> f64 {
    run();
    let seconds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}
