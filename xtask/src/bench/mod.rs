//! `cargo xtask bench engine`: speed of the engine and of PyTorch, and their scaling.

mod report;
mod stats;
mod svg;
mod worker;
mod workload;

use std::path::PathBuf;

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::flags::Engine;
use crate::output::{replace, workspace_root};
use report::Report;
use stats::Samples;
use worker::Worker;
use workload::{Curve, Workload, comparisons, curves, peaks};

const PAGE: &str = "docs/engine.md";

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
        &engine_program(&shell)?,
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
        write(&report)?;
        eprintln!("wrote {PAGE} and its plots");
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
            match worker.measure(&workload.line)? {
                Ok(rate) => samples.push(rate),
                Err(why) if round == 0 => {
                    eprintln!("{} can not run `{}`: {why}", worker.name(), workload.line);
                }
                Err(_) => {}
            }
        }
    }
    Ok(())
}

/// Builds the measuring program and returns its path.
fn engine_program(shell: &Shell) -> anyhow::Result<PathBuf> {
    let messages = cmd!(
        shell,
        "cargo bench --package tinker-engine --bench speed --no-run --message-format json-render-diagnostics"
    )
    .read()?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "speed")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo did not say where it put the measuring program")
}

/// Processor and load, where the system reports them.
fn machine(shell: &Shell) -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let revision = cmd!(shell, "git rev-parse --short HEAD").quiet().read();
    let revision = revision.unwrap_or_else(|_| "unknown".to_owned());
    format!("{model}; load at the end {load}; revision {revision}")
}

/// Replaces the measured part of the page, and the plots.
fn write(report: &Report) -> anyhow::Result<()> {
    let root = workspace_root();
    for (name, plot) in report.plots() {
        replace(&root.join("docs").join(name), plot.as_bytes())?;
    }
    let path = root.join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    replace(&path, spliced(&page, &report.markdown())?.as_bytes())
}

const BEGIN: &str = "<!-- measured: written by `cargo xtask bench engine` -->\n";
const END: &str = "<!-- end of what is measured -->";

fn spliced(page: &str, measured: &str) -> anyhow::Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        bail!("{PAGE} has lost the comments that enclose its measured part");
    };
    Ok(format!("{before}{BEGIN}\n{measured}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_measured_part_of_a_page_is_replaced() {
        let page = format!("# Title\n\n{BEGIN}\nold\n\n{END}\n\nrest\n");
        let fresh = spliced(&page, "new\n").ok();
        assert_eq!(fresh, Some(page.replace("old", "new")));
        assert!(spliced("nothing to replace", "new").is_err());
    }
}
