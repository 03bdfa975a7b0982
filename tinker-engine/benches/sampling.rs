//! Cost of sampling on this machine, and what changes it.
//!
//! `cargo bench -p tinker-engine --bench sampling -- [--threads N] [draw] [batch] [prompt] [adapters] [prefix]`
//!
//! - draw: ways of choosing a token, 16 sequences at once
//! - batch: sequences at once, from 1 to 64
//! - prompt: length of a prompt without reports
//! - adapters: different ones among 16 sequences
//! - prefix: 64 requests that begin alike, with the prefix cache and without
//!
//! The model has the shape S of the bench `speed`. Each number is the best of a few rounds, taken in turn
//! over all rows of a table, as the machine may be busy with other things.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a program that measures"
)]

use std::time::Instant;

use tinker_engine::backend::{AdapterSpec, Backend, SampleJob, StopRule};
use tinker_engine::{CpuBackend, ModelConfig};

const ROUNDS: usize = 7;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let (mut threads, mut tables) = (2, Vec::new());
    while let Some(argument) = arguments.next() {
        if argument == "--threads" {
            threads = arguments.next().unwrap().parse().unwrap();
        } else {
            tables.push(argument);
        }
    }
    if tables.is_empty() {
        tables = ["draw", "batch", "prompt", "adapters", "prefix"]
            .map(str::to_owned)
            .to_vec();
    }
    for table in tables {
        match table.as_str() {
            "draw" => draw(threads),
            "batch" => batch(threads),
            "prompt" => prompt(threads),
            "adapters" => adapters(threads),
            "prefix" => prefix(threads),
            other => println!("there is no table {other}"),
        }
    }
}

fn backend(threads: usize) -> CpuBackend {
    let mut config = ModelConfig::tiny();
    config.vocab_size = 1024;
    CpuBackend::random(config, 0)
        .unwrap()
        .with_threads(threads)
        .with_prefix_cache(0)
}

fn tokens(seed: u32, n: u32) -> Vec<u32> {
    (0..n).map(|t| (t * 7 + seed * 13 + t * t) % 1024).collect()
}

fn job(prompt: Vec<u32>, max_tokens: usize, seed: u64) -> SampleJob {
    SampleJob {
        weights: None,
        prompt,
        num_samples: 1,
        max_tokens: Some(max_tokens),
        temperature: 1.0,
        top_k: None,
        top_p: 1.0,
        seed: Some(seed),
        stop: StopRule::Never,
        prompt_logprobs: false,
        prompt_logprobs_last_n: None,
        topk_prompt_logprobs: 0,
        target_prompt_logprobs: Vec::new(),
        prompt_alternatives: 0,
        topk_sample_logprobs: 0,
    }
}

fn run(backend: &mut CpuBackend, jobs: Vec<SampleJob>) {
    for job in jobs {
        backend.submit(job).unwrap();
    }
    while backend.live_jobs() > 0 {
        backend.advance();
    }
}

/// A row of a table: its name, the tokens it counts, and what makes its jobs.
struct Row<'a> {
    name: String,
    tokens: usize,
    jobs: Box<dyn Fn() -> Vec<SampleJob> + 'a>,
}

/// Times the rows in turn and prints tokens a second, and the cost of a token against the row before.
fn table(title: &str, backend: &mut CpuBackend, rows: &[Row<'_>]) {
    let mut best = vec![f64::INFINITY; rows.len()];
    for round in 0..=ROUNDS {
        for (row, best) in rows.iter().zip(&mut best) {
            let jobs = (row.jobs)();
            let start = Instant::now();
            run(backend, jobs);
            if round > 0 {
                *best = best.min(start.elapsed().as_secs_f64());
            }
        }
    }
    let mut before = None;
    for (row, best) in rows.iter().zip(&best) {
        let cost = best / row.tokens as f64;
        let against = before.map_or(1.0, |before| cost / before);
        println!(
            "{title}, {}: {:>9.0} tok/s, cost {against:.2} of the row before",
            row.name,
            1.0 / cost
        );
        before = Some(cost);
    }
}

/// How a job differs from the usual one.
type Change = fn(&mut SampleJob);

fn draw(threads: usize) {
    let ways: [(&str, Change); 6] = [
        ("temperature 0", |job| job.temperature = 0.0),
        ("temperature 1", |_| ()),
        ("top-k 40", |job| job.top_k = Some(40)),
        ("top-p 0.9", |job| job.top_p = 0.9),
        ("top-k 40 and top-p 0.9", |job| {
            (job.top_k, job.top_p) = (Some(40), 0.9);
        }),
        ("likely tokens reported", |job| job.topk_sample_logprobs = 5),
    ];
    let rows = ways.map(|(name, change)| Row {
        name: name.to_owned(),
        tokens: 16 * 128,
        jobs: Box::new(move || {
            let jobs = (0..16).map(|i| {
                let mut job = job(tokens(i, 16), 128, u64::from(i));
                change(&mut job);
                job
            });
            jobs.collect()
        }),
    });
    table("draw", &mut backend(threads), &rows);
}

fn batch(threads: usize) {
    let rows = [1, 2, 4, 8, 16, 32, 64].map(|count: u32| Row {
        name: format!("{count} at once"),
        tokens: count as usize * 128,
        jobs: Box::new(move || {
            let jobs = (0..count).map(|i| job(tokens(i, 16), 128, u64::from(i)));
            jobs.collect()
        }),
    });
    table("batch", &mut backend(threads), &rows);
}

fn prompt(threads: usize) {
    let rows = [32, 64, 128, 256, 512, 1000].map(|len: u32| Row {
        name: format!("{len} tokens"),
        tokens: len as usize * 8,
        jobs: Box::new(move || (0..8).map(|i| job(tokens(i, len), 1, 0)).collect()),
    });
    table("prompts of 8 requests", &mut backend(threads), &rows);
    let rows = [32, 64, 128, 256, 512, 1000].map(|len: u32| Row {
        name: format!("{len} tokens"),
        tokens: len as usize,
        jobs: Box::new(move || vec![job(tokens(0, len), 1, 0)]),
    });
    table("prompt of one request", &mut backend(threads), &rows);
}

fn adapters(threads: usize) {
    let mut backend = backend(threads);
    let snapshots: Vec<_> = (0..16)
        .map(|seed| {
            let spec = AdapterSpec {
                rank: 16,
                seed,
                attention: true,
                mlp: true,
                unembed: false,
            };
            let id = backend.create(&spec).unwrap();
            Some(backend.snapshot(id).unwrap())
        })
        .collect();
    let snapshots = &snapshots;
    let rows = [0, 1, 2, 4, 8, 16].map(|count: usize| Row {
        name: format!("{count} adapters among 16"),
        tokens: 16 * 128,
        jobs: Box::new(move || {
            let jobs = (0..16).map(|i| {
                let mut job = job(tokens(i, 16), 128, u64::from(i));
                if count > 0 {
                    job.weights.clone_from(&snapshots[i as usize % count]);
                }
                job
            });
            jobs.collect()
        }),
    });
    table("adapters", &mut backend, &rows);
}

fn prefix(threads: usize) {
    let jobs = || {
        let jobs = (0..64).map(|i| {
            let mut prompt = tokens(99, 800);
            prompt.extend(tokens(i, 20));
            job(prompt, 32, u64::from(i))
        });
        jobs.collect()
    };
    for (name, bytes) in [("without", 0), ("with", 64 << 20)] {
        let row = Row {
            name: format!("64 requests of 800 shared and 20 own tokens, {name} the cache"),
            tokens: 64 * 32,
            jobs: Box::new(jobs),
        };
        let mut backend = backend(threads).with_prefix_cache(bytes);
        table("prefix", &mut backend, &[row]);
    }
}
