//! Tests of Ctrl-C during training.
#![cfg(unix)]

use std::io::Read as _;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;

use crate::program::{Run, Workplace};

/// Starts a long run, interrupts it after `count` steps, and returns its result and its stderr.
fn run_until(work: &Workplace, count: usize, output: &str, more: &[&str]) -> (Value, String) {
    let arguments = [
        &[
            "train",
            "data.jsonl",
            "--steps",
            "5000",
            "--json",
            "--output",
            output,
        ],
        more,
    ]
    .concat();
    let mut child = work.command(&arguments).spawn().unwrap();
    // Without a reader of stderr, the program would block.
    let mut stderr = child.stderr.take().unwrap();
    let lines = std::thread::spawn(move || {
        let mut lines = String::new();
        stderr.read_to_string(&mut lines).map(|_| lines).unwrap()
    });
    wait_for_steps(work, &mut child, count, output);
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let run = Run::of(child.wait_with_output().unwrap());
    let lines = lines.join().unwrap();
    assert_eq!(run.code, 130, "{lines}");
    (serde_json::from_str(&run.stdout).unwrap(), lines)
}

fn wait_for_steps(work: &Workplace, child: &mut Child, count: usize, output: &str) {
    let path = work.path(output).join("metrics.jsonl");
    for _ in 0..1200 {
        let metrics = std::fs::read_to_string(&path).unwrap_or_default();
        if metrics.lines().count() >= count {
            return;
        }
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run ended before the interrupt"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{count} steps were not reached in a minute");
}

/// Number and loss of each step.
fn losses(outcome: &Value) -> Vec<(u64, f64)> {
    let steps = outcome["metrics"].as_array().unwrap().iter();
    steps
        .map(|step| {
            (
                step["step"].as_u64().unwrap(),
                step["loss"].as_f64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn an_interrupted_run_is_saved_and_resumed_bit_for_bit() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let (outcome, lines) = run_until(&work, 2, "first", &[]);
    assert!(
        lines.contains("stopping after the step in flight"),
        "{lines}"
    );
    assert_eq!(outcome["status"], "interrupted");
    assert_eq!(outcome["after"], Value::Null);
    let done = outcome["steps"].as_u64().unwrap();
    let checkpoint = outcome["checkpoint"].as_str().unwrap();
    assert!(
        checkpoint.ends_with(&format!("/weights/step-{done:06}")),
        "{checkpoint}"
    );
    let command = outcome["next"][0]["command"].as_str().unwrap();
    assert!(command.ends_with(" train resume first"), "{command}");

    let first_step = done.to_string();
    let (rest, _) = run_until(
        &work,
        2,
        "rest",
        &["--resume", checkpoint, "--first-step", &first_step],
    );
    let whole_steps = done as usize + 2;
    let (whole, _) = run_until(&work, whole_steps, "whole", &[]);
    let (rest, whole) = (losses(&rest), losses(&whole));
    assert_eq!(rest[..2], whole[done as usize..whole_steps], "bit for bit");
}
