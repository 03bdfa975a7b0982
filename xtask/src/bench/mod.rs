//! `cargo xtask bench`: benchmarks and the pages with their results.

mod client;
mod engine;
mod stats;
mod svg;
mod worker;

use std::path::PathBuf;

use anyhow::Context as _;
use xshell::{Shell, cmd};

pub(crate) use client::client;
pub(crate) use engine::engine;

/// Builds a benchmark of a package and returns the path of its program.
fn program(shell: &Shell, package: &str, bench: &str) -> anyhow::Result<PathBuf> {
    let messages = cmd!(
        shell,
        "cargo bench --package {package} --bench {bench} --no-run --message-format json-render-diagnostics"
    )
    .read()?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == bench)
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
