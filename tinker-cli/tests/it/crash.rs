//! Tests of runs that are killed at random moments and continued from their folder.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "waits for processes, whose time cannot be paused; reports the number of kills"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::disturbance::{Disturbance, Random};
use crate::program::{Run, Workplace};

/// Fields of a row that may differ.
const VARYING: [&str; 2] = ["seconds", "checkpoint"];

const SUPERVISED: &[&str] = &[
    "train",
    "data.jsonl",
    "--steps",
    "14",
    "--batch-size",
    "8",
    "--rank",
    "4",
    "--save-every",
    "4",
    "--eval-every",
    "5",
];
const PREFERENCES: &[&str] = &[
    "train",
    "dpo",
    "pairs.jsonl",
    "--steps",
    "12",
    "--batch-size",
    "4",
    "--rank",
    "4",
    "--save-every",
    "4",
    "--eval-every",
    "5",
    "--keep",
    "2",
];
const REWARDS: &[&str] = &[
    "train",
    "rl",
    "problems.jsonl",
    "--steps",
    "8",
    "--batch-size",
    "4",
    "--group-size",
    "4",
    "--max-tokens",
    "16",
    "--rank",
    "4",
    "--save-every",
    "3",
    "--eval-every",
    "5",
    "--kl",
    "0.01",
];

/// Number of kills of each recipe; `cargo xtask crash` sets it.
fn kills() -> usize {
    let times = std::env::var("TINKER_CRASHES").ok();
    times.map_or(3, |times| times.parse().unwrap())
}

/// The rows of a run without the fields that may differ.
fn rows(run: &Path) -> Vec<Value> {
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
fn is_the_same_after_kills(
    work: &Workplace,
    command: &[&str],
    kills: usize,
    disturbance: &mut Disturbance,
) {
    let with = |place: [&'static str; 2], output| [command, &place, &["--output", output]].concat();
    let engine = ["--data-dir", "data"];
    let start = Instant::now();
    let whole = work.run(&with(engine, "whole"));
    let whole_time = start.elapsed();
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let (expected_rows, expected) = (rows(&work.path("whole")), weights(work, "whole"));
    assert!(!expected_rows.is_empty());

    disturbance.begin(work);
    let disturbed = disturbance.place();
    let mut random = Random(std::process::id().into());
    let (mut done, mut finished) = (0, 0);
    while done < kills {
        let run = work.path("run");
        // A few kills of each run, at any time from its first moment to its last.
        for _ in 0..3 {
            let mut child = continued(work, &run, &with(disturbed, "run"))
                .spawn()
                .unwrap();
            std::thread::sleep(whole_time.mul_f64(random.share() * 0.9));
            disturbance.strike(work, &mut random, whole_time);
            if child.try_wait().unwrap().is_some() {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            done += 1;
        }
        if !run.join("summary.json").exists() {
            let last = Run::of(
                continued(work, &run, &with(disturbed, "run"))
                    .output()
                    .unwrap(),
            );
            assert_eq!(last.code, 0, "after {done} kills: {}", last.stderr);
        }
        assert_eq!(rows(&run), expected_rows, "after {done} kills");
        assert_eq!(weights(work, "run"), expected, "after {done} kills");
        std::fs::remove_dir_all(&run).unwrap();
        finished += 1;
    }
    eprintln!("{done} kills, {finished} runs: the same rows and weights");
}

/// The command that starts or continues a run.
fn continued(work: &Workplace, run: &Path, command: &[&str]) -> std::process::Command {
    let mut child = if run.join("config.json").exists() {
        work.command(&["train", "resume", "run"])
    } else {
        work.command(command)
    };
    // Nobody reads them while the process lives.
    child.stderr(std::process::Stdio::null());
    child.stdout(std::process::Stdio::null());
    child
}

#[test]
fn a_supervised_run_is_the_same_after_kills() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    is_the_same_after_kills(&work, SUPERVISED, kills(), &mut Disturbance::None);
}

/// Lines with two words, and the first of them as the better or the right answer.
fn write_words(work: &Workplace) {
    let words = [
        "river", "stone", "apple", "door", "lamp", "cloud", "boat", "horse",
    ];
    let pairs = || (0..24).map(|at| (words[at % 8], words[(at + 1 + at / 8) % 8]));
    let preference = |(first, second)| {
        format!(
            "{{\"prompt\":\"pick: {first} {second} ->\",\"chosen\":\" {first}\",\"rejected\":\" {second}\"}}\n"
        )
    };
    let problem = |(first, second)| {
        format!("{{\"prompt\":\"word: {first} {second} ->\",\"answer\":\"{first}\"}}\n")
    };
    let preferences: Vec<String> = pairs().map(preference).collect();
    let problems: Vec<String> = pairs().map(problem).collect();
    work.write("pairs.jsonl", &preferences.concat());
    work.write("problems.jsonl", &problems.concat());
}

#[test]
fn a_run_on_preferences_is_the_same_after_kills() {
    let work = Workplace::new();
    write_words(&work);
    is_the_same_after_kills(&work, PREFERENCES, kills(), &mut Disturbance::None);
}

#[test]
fn a_run_on_rewards_is_the_same_after_kills() {
    let work = Workplace::new();
    write_words(&work);
    is_the_same_after_kills(&work, REWARDS, kills(), &mut Disturbance::None);
}

/// A run of each recipe, disturbed.
fn each_is_the_same(disturbance: fn() -> Disturbance) {
    let kills = (kills() / 3).max(1);
    for command in [SUPERVISED, PREFERENCES, REWARDS] {
        let work = Workplace::new();
        work.write_examples("data.jsonl", 40);
        write_words(&work);
        is_the_same_after_kills(&work, command, kills, &mut disturbance());
    }
}

#[test]
fn runs_are_the_same_after_kills_and_restarts_of_the_server() {
    each_is_the_same(|| Disturbance::Restarts(None));
}

#[test]
fn a_reward_program_that_fails_is_named_and_the_run_is_saved() {
    let work = Workplace::new();
    write_words(&work);
    // Rewards for the evaluation before training and for the first steps, then the program dies.
    let program = "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count; [ $n -lt 4 ] || { echo lost it >&2; exit 9; }; \
                   awk '{print NR % 2}'";
    let run = work.run(&[
        "train",
        "rl",
        "problems.jsonl",
        "--steps",
        "8",
        "--batch-size",
        "4",
        "--group-size",
        "4",
        "--max-tokens",
        "8",
        "--rank",
        "4",
        "--output",
        "run",
        "--reward-program",
        program,
    ]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("failed 3 times"), "{}", run.stderr);
    assert!(
        run.stderr.contains("exit status: 9: lost it"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("/weights/step-000003"),
        "{}",
        run.stderr
    );
    assert_eq!(rows(&work.path("run")).len(), 3);

    // With a program that works again, the same command line goes on after the third step.
    work.write("count", "0");
    let rest = work.run(&["train", "resume", "run", "--json"]);
    assert_eq!(
        rest.code, 1,
        "it dies again after four more steps: {}",
        rest.stderr
    );
    assert_eq!(rows(&work.path("run")).len(), 7, "{}", rest.stderr);
}

#[test]
fn a_run_that_changed_or_is_in_use_is_not_continued() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let train = [
        "train",
        "data.jsonl",
        "--steps",
        "400",
        "--batch-size",
        "8",
        "--save-every",
        "2",
        "--output",
        "run",
    ];
    let mut child = work.command(&train).spawn().unwrap();
    let end = Instant::now() + Duration::from_mins(1);
    while rows_so_far(&work) < 3 {
        assert!(Instant::now() < end, "the run does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = work.run(&["train", "resume", "run"]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(
        second
            .stderr
            .contains("another process works on the run run"),
        "{}",
        second.stderr
    );
    child.kill().unwrap();
    child.wait().unwrap();

    work.write_examples("data.jsonl", 41);
    let changed = work.run(&["train", "resume", "run"]);
    assert_eq!(changed.code, 2, "{}", changed.stderr);
    assert!(
        changed.stderr.contains("the data was "),
        "{}",
        changed.stderr
    );
    assert!(
        changed.stderr.contains("add --allow-changes"),
        "{}",
        changed.stderr
    );

    let none = work.run(&["train", "resume", "nowhere"]);
    assert_eq!(none.code, 2, "{}", none.stderr);
    assert!(none.stderr.contains("holds no run"), "{}", none.stderr);
}

fn rows_so_far(work: &Workplace) -> usize {
    let text = std::fs::read_to_string(work.path("run/metrics.jsonl"));
    text.unwrap_or_default().lines().count()
}
