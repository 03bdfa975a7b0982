//! `cargo xtask bench client`: cost of the client beside a bare HTTP client and the official SDK.

mod goal;
mod report;
mod row;
mod workload;

use anyhow::{Context, bail, ensure};
use xshell::Shell;

use super::worker::Worker;
use super::{machine, program};
use crate::flags::Client;
use crate::output::workspace_root;
use crate::page::Page;
use report::Report;
use row::Row;
use workload::{Side, workloads};

const PAGE: Page = Page {
    path: "docs/performance.md",
    command: "cargo xtask bench client",
};

const ADVICE: &str = "no --python was given, so this measures the client beside a bare one and leaves docs/performance.md \
    as it is. For the official SDK:\n  python3 -m venv target/sdk && target/sdk/bin/pip install tinker numpy\n  \
    cargo xtask bench client --python target/sdk/bin/python";

/// Measures and prints; all work with the official SDK also writes the page and its plot.
pub(crate) fn client(flags: &Client) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let program = program(&shell, "tinker-tests", "client")?;
    let folder = shell.create_temp_dir()?;
    let certificate = folder.path().join("certificate.pem");
    let certificate = certificate.to_str().context("the path is not UTF-8")?;
    // Declared before the clients, so that it outlives them.
    let server = Worker::start("server", &program, &["serve", certificate])?;
    let addresses = server.greeting().split(' ').chain([certificate]);
    let addresses: Vec<&str> = addresses.collect();
    let compiled = |name, role| {
        let arguments = [&[role], addresses.as_slice()].concat();
        Worker::start(name, &program, &arguments)
    };
    let mut sides = vec![
        (Side::Ours, compiled("tinker-client", "ours")?),
        (Side::Bare, compiled("hyper", "bare")?),
    ];
    if let Some(python) = &flags.python {
        let script = workspace_root().join("tests/python/bench_client.py");
        let script = script
            .to_str()
            .context("the workspace's path is not UTF-8")?;
        let arguments = [&[script], addresses.as_slice()].concat();
        let official = Worker::start("official SDK", python, &arguments)?;
        sides.push((Side::Official, official));
    } else {
        eprintln!("{ADVICE}");
    }
    let rounds = flags.rounds.unwrap_or(3);
    let part = flags.work.as_deref().unwrap_or_default();
    let chosen = workloads()
        .into_iter()
        .filter(|work| work.name.contains(part));
    let mut rows: Vec<Row> = chosen.map(Row::new).collect();
    ensure!(!rows.is_empty(), "no work has {part:?} in its name");
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        measure(&mut rows, &mut sides)?;
    }
    let report = Report {
        machine: machine(&shell),
        sides: sides
            .iter()
            .map(|(_, worker)| worker.greeting().to_owned())
            .collect(),
        rounds,
        rows,
    };
    eprintln!("{}", report.markdown());
    if flags.python.is_some() && flags.work.is_none() && !flags.dry_run {
        PAGE.write(&report.markdown(), &[report.plot()])?;
    }
    Ok(())
}

/// Runs every workload once on each side in turn, so that other load on the machine affects all of them alike.
fn measure(rows: &mut [Row], sides: &mut [(Side, Worker)]) -> anyhow::Result<()> {
    for row in rows {
        eprintln!("  {}", row.workload.name);
        for (side, worker) in &mut *sides {
            if !row.workload.runs_on(*side) {
                continue;
            }
            let line = row.workload.line(*side);
            match worker.measure(&line)? {
                Ok(numbers) => row.add(*side, &numbers)?,
                Err(why) => bail!("{} cannot run `{line}`: {why}", worker.name()),
            }
        }
    }
    Ok(())
}
