//! The pretraining run: batches in, progress out, weights on disk.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use tinker_engine::ModelConfig;
use tinker_engine::pretrain::{Pretrainer, StepConstants};

use super::corpus::document;
use super::schedule::Schedule;
use super::window::{batch, held_out};
use crate::flags::BaseModel;
use crate::output::{replace, workspace_root};

const SEED: u64 = 1;
/// Small, so that a short run takes many steps.
const TOKENS_PER_STEP: usize = 2048;
const PEAK_RATE: f64 = 3e-3;
const REPORT_EVERY: Duration = Duration::from_secs(10);
const SAVE_EVERY: Duration = Duration::from_mins(2);

/// Prints documents or trains, depending on the flags.
pub(crate) fn run(flags: &BaseModel) -> anyhow::Result<()> {
    match flags.show {
        Some(documents) => {
            show(documents);
            Ok(())
        }
        None => train(flags),
    }
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
fn show(documents: usize) {
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..documents {
        println!("{}", document(&mut rng).readable());
    }
}

/// Length of a run. A run limited by tokens always gives the same weights, and can be resumed; one
/// limited by minutes fits a budget.
#[derive(Debug, Clone, Copy)]
enum Length {
    Tokens(u64),
    Wall(Duration),
}

impl Length {
    fn of(flags: &BaseModel) -> Self {
        match flags.tokens {
            Some(tokens) => Self::Tokens(tokens),
            None => Self::Wall(Duration::from_secs_f64(
                flags.minutes.unwrap_or(25.0) * 60.0,
            )),
        }
    }

    /// The finished share of the run, from 0 to 1.
    fn done(self, steps: u64, elapsed: Duration) -> f64 {
        match self {
            Self::Tokens(tokens) => (steps * TOKENS_PER_STEP as u64) as f64 / tokens.max(1) as f64,
            Self::Wall(total) => elapsed.as_secs_f64() / total.as_secs_f64(),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the progress of the command")]
fn train(flags: &BaseModel) -> anyhow::Result<()> {
    let out = flags
        .out
        .clone()
        .unwrap_or_else(|| workspace_root().join("tinker-engine/assets/base.safetensors"));
    let checkpoint = flags
        .checkpoint
        .clone()
        .unwrap_or_else(|| workspace_root().join("target/base-model.safetensors"));
    let threads = flags
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1);
    let mut pretrainer = started(flags.resume.as_ref())?.with_threads(threads);
    let (length, schedule) = (Length::of(flags), Schedule { peak: PEAK_RATE });
    let held_out = held_out(SEED);

    let start = now();
    let (mut reported, mut saved) = (Duration::ZERO, Duration::ZERO);
    let (mut losses, mut trained) = (Vec::new(), 0);
    loop {
        let elapsed = start.elapsed();
        let done = length.done(pretrainer.steps(), elapsed);
        if done >= 1.0 {
            break;
        }
        let rate = schedule.at(done);
        let sequences = batch(SEED, pretrainer.steps(), TOKENS_PER_STEP);
        let report = pretrainer.step(&sequences, &StepConstants::new(rate))?;
        losses.push(report.loss);
        trained += report.tokens;
        if elapsed >= reported + REPORT_EVERY {
            let loss = losses.iter().sum::<f64>() / losses.len() as f64;
            let (step, seconds) = (pretrainer.steps(), elapsed.as_secs_f64());
            let speed = trained as f64 / seconds;
            println!(
                "{seconds:6.0} s  step {step:6}  loss {loss:.4}  {speed:.0} tokens/s  rate {rate:.5}"
            );
            reported = elapsed;
            losses.clear();
        }
        if elapsed >= saved + SAVE_EVERY {
            replace(&checkpoint, &pretrainer.save()?)?;
            println!(
                "held-out loss {:.4}, checkpoint in {}",
                pretrainer.evaluate(&held_out)?,
                checkpoint.display()
            );
            saved = elapsed;
        }
    }
    println!(
        "held-out loss {:.4} after {trained} tokens",
        pretrainer.evaluate(&held_out)?
    );
    replace(&checkpoint, &pretrainer.save()?)?;
    replace(&out, &pretrainer.export()?)?;
    println!("weights in {}", out.display());
    Ok(())
}

fn started(checkpoint: Option<&PathBuf>) -> anyhow::Result<Pretrainer> {
    let config = ModelConfig::tiny();
    let Some(path) = checkpoint else {
        return Ok(Pretrainer::new(config, SEED)?);
    };
    Ok(Pretrainer::resume(config, &read(path)?)?)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a run is budgeted and reported by wall clock"
)]
fn now() -> Instant {
    Instant::now()
}
