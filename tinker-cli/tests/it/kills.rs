//! Kills of training runs at random moments, and a comparison with an uninterrupted run.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "waits for processes, whose time cannot be paused; reports the number of kills"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::disturbance::{Disturbance, Place, Random};
use crate::program::{Run, Workplace};

/// Fields of a row that may differ.
const VARYING: [&str; 2] = ["seconds", "checkpoint"];

/// Number of kills of each recipe; `cargo xtask crash` sets it.
pub(crate) fn kills() -> usize {
    let times = std::env::var("TINKER_CRASHES").ok();
    times.map_or(3, |times| times.parse().unwrap())
}

/// The rows of a run without the fields that may differ.
pub(crate) fn rows(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        for field in VARYING {
            row.as_object_mut().unwrap().remove(field);
        }
        row
    };
    text.lines().map(row).collect()
}

/// Weights and optimizer state of the last checkpoint of a run.
fn weights(work: &Workplace, run: &str) -> Vec<(String, Vec<u8>)> {
    let text = std::fs::read(work.path(run).join("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&text).unwrap();
    let path = summary["checkpoint"].as_str().unwrap();
    let id = path.strip_prefix("tinker://").unwrap();
    let folder = work.path("data/checkpoints").join(id.replace(':', "_"));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() >= 2, "weights and optimizer state of {path}");
    files
}

/// Runs a command as a whole, and again with kills and continuations, and compares.
pub(crate) fn is_the_same_after_kills(
    work: &Workplace,
    command: &str,
    kills: usize,
    disturbance: Disturbance,
) {
    let with = |place: [&str; 2], output: &str| {
        let mut words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        words.extend(place.map(str::to_owned));
        words.extend(["--output".to_owned(), output.to_owned()]);
        words
    };
    let whole = ended(start(work, &with(["--data-dir", "data"], "whole")), "whole");
    let (expected_rows, expected) = (rows(&work.path("whole")), weights(work, "whole"));
    assert!(!expected_rows.is_empty());
    drop(whole);

    let mut place = Place::new(work, disturbance);
    let run = work.path("run");
    let check = |when: &str| {
        assert_eq!(rows(&run), expected_rows, "{when}");
        assert_eq!(weights(work, "run"), expected, "{when}");
        std::fs::remove_dir_all(&run).unwrap();
    };
    // How long it takes at this place.
    let begin = Instant::now();
    ended(start(work, &with(place.options(), "run")), "without kills");
    let run_time = begin.elapsed();
    check("without kills");

    let seed = std::process::id().into();
    eprintln!("moments from the seed {seed}");
    let mut random = Random(seed);
    let (mut done, mut finished) = (0, 0);
    while done < kills {
        // A few kills of each run, at any time from its first moment to its last.
        for _ in 0..3.min(kills - done) {
            let mut child = continued(work, &run, &with(place.options(), "run"));
            // Nobody reads them while the process lives.
            child.stderr(Stdio::null()).stdout(Stdio::null());
            let mut child = child.spawn().unwrap();
            std::thread::sleep(run_time.mul_f64(random.share() * 0.9));
            place.strike(&mut random, run_time);
            if child.try_wait().unwrap().is_some() {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            done += 1;
        }
        let when = format!("after {done} kills");
        if !run.join("summary.json").exists() {
            let last = continued(work, &run, &with(place.options(), "run"));
            ended(last, &when);
        }
        check(&when);
        finished += 1;
    }
    eprintln!("{done} kills, {finished} runs: the same rows and weights");
}

fn start(work: &Workplace, words: &[String]) -> Command {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    work.command(&words)
}

/// The command that starts or continues a run.
fn continued(work: &Workplace, run: &Path, command: &[String]) -> Command {
    if run.join("config.json").exists() {
        work.command(&["train", "resume", "run"])
    } else {
        start(work, command)
    }
}

/// Waits for the success of a command.
fn ended(mut command: Command, when: &str) -> Run {
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.code, 0, "{when}: {}", run.stderr);
    run
}
