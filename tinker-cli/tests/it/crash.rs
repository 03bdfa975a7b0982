//! Tests of runs that are killed at random moments and continued from their folder.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    reason = "waits for processes, whose time cannot be paused"
)]

use std::time::{Duration, Instant};

use crate::disturbance::Disturbance;
use crate::kills::{is_the_same_after_kills, kills, rows};
use crate::program::{Workplace, words};

const SUPERVISED: &str =
    "train data.jsonl --steps 14 --batch-size 8 --rank 4 --save-every 4 --eval-every 5";
const PREFERENCES: &str = "train dpo pairs.jsonl --steps 12 --batch-size 4 --rank 4 --save-every 4 --eval-every 5 \
                           --keep 2";
const REWARDS: &str = "train rl problems.jsonl --steps 8 --batch-size 4 --group-size 4 --max-tokens 16 --rank 4 \
                       --save-every 3 --eval-every 5 --kl 0.01";
/// Shorter runs, as a fault may cost a second.
const SHORT: [&str; 3] = [
    "train data.jsonl --steps 5 --batch-size 8 --rank 4 --save-every 2 --eval-every 3",
    "train dpo pairs.jsonl --steps 4 --batch-size 2 --rank 4 --save-every 2 --eval-every 3",
    "train rl problems.jsonl --steps 4 --batch-size 2 --group-size 2 --max-tokens 16 --rank 4 --save-every 2 --kl 0.01",
];

#[test]
fn a_supervised_run_is_the_same_after_kills() {
    is_the_same(SUPERVISED, kills(), Disturbance::None);
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
    for (name, lines) in [("pairs", preferences), ("problems", problems)] {
        work.write(&format!("{name}.jsonl"), &lines.concat());
        work.write(&format!("{name}-eval.jsonl"), &lines[..2].concat());
    }
}

/// Compares a run with the same one under kills and another disturbance.
fn is_the_same(command: &str, kills: usize, disturbance: Disturbance) {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    work.write_examples("data-eval.jsonl", 2);
    write_words(&work);
    is_the_same_after_kills(&work, command, kills, disturbance);
}

#[test]
fn a_run_on_preferences_is_the_same_after_kills() {
    is_the_same(PREFERENCES, kills(), Disturbance::None);
}

#[test]
fn a_run_on_rewards_is_the_same_after_kills() {
    is_the_same(REWARDS, kills(), Disturbance::None);
}

/// Kills of a run with another disturbance.
fn some() -> usize {
    (kills() / 3).max(1)
}

#[test]
fn a_supervised_run_is_the_same_after_kills_under_faults() {
    is_the_same(SHORT[0], some(), Disturbance::Faults);
}

#[test]
fn a_run_on_preferences_is_the_same_after_kills_under_faults() {
    is_the_same(SHORT[1], some(), Disturbance::Faults);
}

#[test]
fn a_run_on_rewards_is_the_same_after_kills_under_faults() {
    is_the_same(SHORT[2], some(), Disturbance::Faults);
}

#[test]
fn runs_are_the_same_after_kills_and_restarts_of_the_server() {
    for command in [SUPERVISED, PREFERENCES, REWARDS] {
        is_the_same(command, some(), Disturbance::Restarts);
    }
}

#[test]
fn runs_are_the_same_after_kills_and_restarts_of_the_server_under_faults() {
    // The last one samples, trains and evaluates; the others only in the long trial.
    let commands = if kills() > 3 { &SHORT[..] } else { &SHORT[2..] };
    for command in commands {
        is_the_same(command, some(), Disturbance::FaultsAndRestarts);
    }
}

#[test]
fn a_reward_program_that_fails_is_named_and_the_run_is_saved() {
    let work = Workplace::new();
    write_words(&work);
    // Rewards for the evaluation before training and for the first steps, then the program dies.
    let program = "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count; [ $n -lt 4 ] || { echo lost it >&2; exit 9; }; \
                   awk '{print NR % 2}'";
    let train = "train rl problems.jsonl --steps 8 --batch-size 4 --group-size 4 --max-tokens 8 --rank 4 --output run";
    let run = work.run(&words(train, &["--reward-program", program]));
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

    // As an earlier version wrote it.
    let config = std::fs::read_to_string(work.path("run/config.json")).unwrap();
    let older = config.replace("\"order\": 2,", "");
    assert_ne!(config, older);
    work.write("run/config.json", &older);
    let refused = work.run(&["train", "resume", "run"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let reason = "the order of the examples was version 1 and is version 2";
    assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    work.write("run/config.json", &config);

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
