//! `cargo xtask bench engine`: speed of the engine and of PyTorch, and their scaling.

mod report;
mod workload;

use anyhow::{Context, bail};
use xshell::Shell;

use super::stats::Samples;
use super::worker::Worker;
use super::{machine, program};
use crate::flags::Engine;
use crate::output::workspace_root;
use crate::page::Page;
use report::Report;
use workload::{Curve, Workload, comparisons, curves, peaks};

const PAGE: Page = Page {
    path: "docs/engine.md",
    command: "cargo xtask bench engine",
};

const ADVICE: &str = "no --python was given, so this measures the engine alone and leaves docs/engine.md as it is. For \
    the comparison:\n  python3 -m venv target/torch && target/torch/bin/pip install torch numpy\n  \
    cargo xtask bench engine --python target/torch/bin/python";

/// Measures and prints; with PyTorch also writes the page and its plots. Fails if a curve has a cliff.
pub(crate) fn engine(flags: &Engine) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let threads = match flags.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism()?.get(),
    };
    let mut ours = Worker::start(
        "tinker-local",
        &program(&shell, "tinker-engine", "speed")?,
        &["--threads", &threads.to_string()],
    )?;
    let mut torch = None;
    if let Some(python) = &flags.python {
        let script = workspace_root().join("tests/python/bench_torch.py");
        let script = script
            .to_str()
            .context("the workspace's path is not UTF-8")?;
        let arguments = [script, &threads.to_string()];
        torch = Some(Worker::start("PyTorch", python, &arguments)?);
    } else {
        eprintln!("{ADVICE}");
    }
    let rounds = flags.rounds.unwrap_or(3);
    let mut side_by_side: Vec<_> = comparisons()
        .into_iter()
        .chain(peaks())
        .filter(|workload| torch.is_some() || !workload.is_torch())
        .map(|workload| (workload, Samples::default()))
        .collect();
    measure(
        &mut side_by_side,
        rounds,
        &mut ours,
        torch.as_mut(),
        "side by side",
    )?;
    let mut scaling: Vec<(Curve, Vec<(Workload, Samples)>)> = curves()
        .into_iter()
        .map(|curve| {
            let points = curve
                .points()
                .map(|point| (point, Samples::default()))
                .collect();
            (curve, points)
        })
        .collect();
    for round in 0..rounds.min(3) {
        for (curve, points) in &mut scaling {
            let label = format!("{}, round {}", curve.title(), round + 1);
            measure(points, 1, &mut ours, torch.as_mut(), &label)?;
        }
    }

    let report = Report {
        machine: machine(&shell),
        ours: ours.greeting().to_owned(),
        torch: torch.as_ref().map(|torch| torch.greeting().to_owned()),
        rounds,
        side_by_side,
        scaling,
    };
    eprintln!("{}", report.markdown());
    if torch.is_some() && !flags.dry_run {
        PAGE.write(&report.markdown(), &report.plots())?;
    }
    let cliffs = report.cliffs();
    if !cliffs.is_empty() {
        bail!("cost rises too steeply:\n{}", cliffs.join("\n"));
    }
    Ok(())
}

/// Runs every workload once in each round, so that other load on the machine affects all of them alike.
fn measure(
    workloads: &mut [(Workload, Samples)],
    rounds: usize,
    ours: &mut Worker,
    mut torch: Option<&mut Worker>,
    label: &str,
) -> anyhow::Result<()> {
    for round in 0..rounds {
        eprintln!("{label}: {} of {rounds}", round + 1);
        for (workload, samples) in &mut *workloads {
            let worker = match &mut torch {
                Some(torch) if workload.is_torch() => &mut **torch,
                _ => &mut *ours,
            };
            match worker.measure(&workload.line)?.as_deref() {
                Ok(&[units, seconds]) if seconds > 0.0 => samples.push(units / seconds),
                Ok(numbers) => bail!("{} answered {numbers:?}", worker.name()),
                Err(why) if round == 0 => {
                    eprintln!("{} cannot run `{}`: {why}", worker.name(), workload.line);
                }
                Err(_) => {}
            }
        }
    }
    Ok(())
}
