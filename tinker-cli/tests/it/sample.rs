//! Tests of `tinker sample` and its streamed output.

use std::io::Read as _;
use std::process::Command;
use std::time::Duration;

use crate::program::{Run, Workplace};

const ASK: [&str; 6] = [
    "sample",
    "Once upon a time",
    "--seed",
    "5",
    "--max-tokens",
    "60",
];

#[test]
fn the_streamed_text_is_the_generated_text() {
    let work = Workplace::new();
    let whole = work.run(&[&ASK[..], &["--json"]].concat()).json();
    let text = whole["samples"][0]["text"].as_str().unwrap().to_owned();
    assert_eq!(whole["prompt_tokens"], 16);
    assert_eq!(work.run(&ASK).stdout, format!("{text}\n"));

    let several = [&ASK[..], &["--num-samples", "3"]].concat();
    let whole = work.run(&[&several[..], &["--json"]].concat()).json();
    let texts = whole["samples"].as_array().unwrap().iter().enumerate();
    let shown = texts.map(|(number, sample)| {
        let text = sample["text"].as_str().unwrap();
        format!("--- {} of 3 ---\n{text}\n", number + 1)
    });
    let expected: String = shown.collect();
    assert_eq!(work.run(&several).stdout, expected);
}

/// A high temperature, so that the texts exceed the buffer of a pipe and the program cannot end before it is read.
const LONG: [&str; 8] = [
    "sample",
    "x",
    "--temperature",
    "5",
    "--max-tokens",
    "1000",
    "--num-samples",
    "256",
];

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_cleanly() {
    let work = Workplace::new();
    let mut child = work.command(&LONG).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 40];
    stdout.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"--- 1 of 256 ---\n"));
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    // The signal takes some time to reach a thread of the program.
    std::thread::sleep(Duration::from_millis(500));
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert!(run.stderr.contains("stopping"), "{}", run.stderr);
    assert!(rest.ends_with(b"\n"));
    // The first read may have ended within a character.
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.contains("--- 256 of 256 ---"));
}

#[test]
fn a_reader_that_stops_early_ends_it() {
    let work = Workplace::new();
    let line = format!(
        "{} sample x --temperature 5 --max-tokens 1000 --num-samples 256 | head -c 20 >/dev/null; echo \"${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_tinker")
    );
    let run = work.paste(&format!("bash -c '{line}'"));
    assert!(run.stdout.ends_with("0\n"), "{} {}", run.stdout, run.stderr);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
}
