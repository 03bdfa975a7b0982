//! `cargo xtask cost`: counts of instructions and allocations, beside those in the tree.
//!
//! Time varies between runs and machines; counts hardly do. Instructions are counted by callgrind: processors count them
//! too, but many virtual machines hide that. The library of C has variants of its functions for different processors, so
//! instructions are compared only on the kind of machine that counted those in the tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use xshell::{Shell, cmd};

use crate::output::workspace_root;

const FILE: &str = "cost/counts.txt";
const HEADER: &str = "# What the client costs. Written by `cargo xtask cost --write`, checked by `cargo xtask cost`.\n\
    # work, instructions under callgrind, allocations, allocated bytes\n";
/// Begins the line that names the machine.
const MACHINE: &str = "# counted on ";
const COLUMNS: [&str; 3] = ["instructions", "allocations", "allocated bytes"];
const ADVICE: &str = "needs valgrind (`apt-get install valgrind`)";
/// Most that a count may be above the one in the tree, as a share of it.
const TOLERANCE: f64 = 0.03;
/// Repetitions of a run, and of the longer run that it is subtracted from.
const TIMES: [u64; 2] = [50, 350];

/// Counts for one unit of work; `None` where nothing could count.
type Counts = [Option<f64>; COLUMNS.len()];

/// Counts, and compares with the tree or writes the tree.
pub(crate) fn run(write: bool) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let valgrind = valgrind_version(&shell);
    let machine = format!("{}, {}", processor(), valgrind.as_deref().unwrap_or("-"));
    let callgrind = valgrind.is_some();
    ensure!(callgrind || !write, "{FILE} {ADVICE}");
    let program = build(&shell)?;
    let mut measured = BTreeMap::new();
    for name in cmd!(shell, "{program}").quiet().read()?.lines() {
        let [allocations, bytes] = allocations(&shell, &program, name)?;
        let count = |times| under_callgrind(&shell, &program, name, times);
        let counts = [
            callgrind.then(|| instructions(name, count)).transpose()?,
            Some(allocations),
            Some(bytes),
        ];
        measured.insert(name.to_owned(), counts);
    }
    if write {
        std::fs::write(workspace_root().join(FILE), text(&machine, &measured))?;
        eprintln!("wrote {FILE}");
        return Ok(());
    }
    let recorded = std::fs::read_to_string(workspace_root().join(FILE))
        .with_context(|| format!("cannot read {FILE}; write it with `cargo xtask cost --write`"))?;
    let counted_on = recorded.lines().find_map(|line| line.strip_prefix(MACHINE));
    if !callgrind {
        eprintln!("only allocations are checked: the count of instructions {ADVICE}");
    } else if counted_on != Some(machine.as_str()) {
        let other = counted_on.unwrap_or("another machine");
        eprintln!(
            "only allocations are checked: instructions were counted on {other}, and this is {machine}"
        );
        for counts in measured.values_mut() {
            counts[0] = None;
        }
    }
    let faults = compare(&parse(&recorded)?, &measured);
    if !faults.is_empty() {
        bail!(
            "{}\nreduce it, or accept it with `cargo xtask cost --write` and give the reason in the commit",
            faults.join("\n")
        );
    }
    Ok(())
}

fn build(shell: &Shell) -> anyhow::Result<PathBuf> {
    let messages = cmd!(
        shell,
        "cargo build --release --package tinker-cost --message-format json-render-diagnostics"
    )
    .read()?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "tinker-cost")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo did not say where it put the counted program")
}

fn valgrind_version(shell: &Shell) -> Option<String> {
    let version = cmd!(shell, "valgrind --version").quiet();
    version.ignore_stderr().read().ok()
}

/// The name of the processor, where the system tells it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find(|line| line.starts_with("model name"));
    let name = name.and_then(|line| line.split_once(": "));
    name.map_or("an unknown processor", |(_, name)| name)
        .to_owned()
}

fn allocations(shell: &Shell, program: &Path, name: &str) -> anyhow::Result<[f64; 2]> {
    let times = TIMES[1].to_string();
    let counted = cmd!(shell, "{program} {name} {times}").quiet().read()?;
    let counts: Result<Vec<f64>, _> = counted.split(' ').map(str::parse).collect();
    let counts = <[f64; 2]>::try_from(counts?);
    let counts = counts.map_err(|_| anyhow::anyhow!("{name} printed {counted:?}"))?;
    Ok(counts.map(|count| count / TIMES[1] as f64))
}

/// Instructions of one unit: the difference of two runs, so that what a run needs once does not count.
fn instructions(name: &str, count: impl Fn(u64) -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let [few, many] = [count(TIMES[0])?, count(TIMES[1])?];
    ensure!(many > few, "{name}: {many} instructions after {few}");
    Ok((many - few) / (TIMES[1] - TIMES[0]) as f64)
}

fn under_callgrind(shell: &Shell, program: &Path, name: &str, times: u64) -> anyhow::Result<f64> {
    let times = times.to_string();
    let valgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let run = cmd!(shell, "valgrind {valgrind...} {program} {name} {times}");
    let report = run.quiet().ignore_stdout().read_stderr()?;
    let line = report
        .lines()
        .find_map(|line| line.split_once("Collected :"));
    let (_, count) = line.with_context(|| format!("callgrind reports no count:\n{report}"))?;
    Ok(count.trim().parse()?)
}

fn text(machine: &str, measured: &BTreeMap<String, Counts>) -> String {
    let mut text = format!("{HEADER}{MACHINE}{machine}\n");
    for (name, counts) in measured {
        let [instructions, allocations, bytes] =
            counts.map(|count| count.map_or_else(|| "-".to_owned(), |count| format!("{count:.1}")));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{name:<14} {instructions:>10} {allocations:>8} {bytes:>10}"
        );
    }
    text
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Counts>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let counts: Vec<Option<f64>> = words.map(|word| word.parse().ok()).collect();
        Some((name, Counts::try_from(counts).ok()?))
    };
    lines
        .map(|line| of_line(line).with_context(|| format!("{FILE} cannot be read: {line:?}")))
        .collect()
}

/// The counts that are too high. Prints all, and those that are lower than recorded.
fn compare(
    recorded: &BTreeMap<String, Counts>,
    measured: &BTreeMap<String, Counts>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, counts) in measured {
        let Some(before) = recorded.get(name) else {
            faults.push(format!("{name} is not in {FILE}"));
            continue;
        };
        for ((column, now), before) in COLUMNS.iter().zip(counts).zip(before) {
            let (Some(now), Some(before)) = (now, before) else {
                continue;
            };
            let change = 100.0 * (now / before - 1.0);
            let line = format!("{name}: {now:.1} {column}, {change:+.1} % against {before:.1}");
            eprintln!("{line}");
            if *now > before * (1.0 + TOLERANCE) {
                faults.push(line);
            } else if *now < before * (1.0 - TOLERANCE) {
                eprintln!("  that is less; keep it with `cargo xtask cost --write`");
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: f64) -> BTreeMap<String, Counts> {
        let counts = [Some(instructions), Some(49.0), Some(100.5)];
        BTreeMap::from([("sample".to_owned(), counts)])
    }

    #[test]
    fn a_count_above_the_tolerance_is_a_fault() -> anyhow::Result<()> {
        let recorded = parse(&text("a processor", &counts(1000.0)))?;
        assert_eq!(recorded, counts(1000.0));
        assert!(compare(&recorded, &counts(1030.0)).is_empty());
        assert!(compare(&recorded, &counts(500.0)).is_empty());
        let faults = compare(&recorded, &counts(1031.0));
        let [fault] = faults.as_slice() else {
            bail!("one fault, not {faults:?}");
        };
        assert!(
            fault.contains("sample: 1031.0 instructions, +3.1 %"),
            "{fault}"
        );
        assert_eq!(compare(&BTreeMap::new(), &counts(1.0)).len(), 1);
        assert!(parse("sample 1").is_err());
        Ok(())
    }
}
