//! Tests of shell completion and of the manual pages.
#![expect(
    clippy::disallowed_methods,
    reason = "the program under test runs on the clock of the machine"
)]

use std::time::{Duration, Instant};

use crate::names::train;
use crate::official::commands;
use crate::program::{Run, Workplace, names};

/// The answers of the program to the script of fish, without options and descriptions. The last word is the one to complete.
fn answers(work: &Workplace, words: &[&str]) -> Vec<String> {
    let mut command = work.command(&[&["--", "tinker"], words].concat());
    let run = Run::of(command.env("TINKER_COMPLETE", "fish").output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let value = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    let values = run.stdout.lines().map(value);
    values.filter(|value| !value.starts_with("--")).collect()
}

#[test]
fn completions_know_the_runs_and_checkpoints_of_the_engine() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 20);
    let runs = ["runs/first", "runs/second"].map(|folder| {
        let outcome = train(&work, folder, &[]);
        let checkpoint = outcome["checkpoint"].as_str().unwrap().to_owned();
        let sampler = outcome["sampler"].as_str().unwrap().to_owned();
        let run = checkpoint.split('/').nth(2).unwrap().to_owned();
        (run, checkpoint, sampler)
    });
    let ids = [runs[1].0.as_str(), runs[0].0.as_str()];
    let folders = ["runs/first", "runs/second"];

    let all = [&["latest"], &folders[..], &ids].concat();
    assert_eq!(answers(&work, &["run", "info", ""]), all);
    assert_eq!(answers(&work, &["run", "info", &ids[0][..2]]), ids);
    assert_eq!(answers(&work, &["train", "resume", "ru"]), folders);
    let found = answers(&work, &["sample", "--model", "tinker://"]);
    assert_eq!(found.len(), 4, "{found:?}");
    for (_, checkpoint, sampler) in &runs {
        assert!(
            found.contains(checkpoint) && found.contains(sampler),
            "{found:?}"
        );
    }
    for line in [
        &["export"][..],
        &["train", "--resume"],
        &["checkpoint", "info"],
        &["checkpoint", "delete"],
    ] {
        let found = answers(&work, &[line, &[&runs[0].1]].concat());
        assert_eq!(found, [runs[0].1.as_str()], "{line:?}");
    }
    // Another data folder, and the commands themselves.
    let elsewhere = ["run", "info", "--data-dir", "other", "la"];
    assert_eq!(answers(&work, &elsewhere), [""; 0]);
    assert!(!work.path("other").exists());
    assert_eq!(answers(&work, &["compl"]), ["completions"]);

    in_bash(&work, &runs[0].0);
}

/// Bash splits words at colons; the answers must continue the part behind the last one.
fn in_bash(work: &Workplace, run: &str) {
    let script = work.run(&["completions", "bash"]).stdout;
    work.write("tinker.bash", &script);
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_tinker"))
        .parent()
        .unwrap();
    let (session, _) = run.split_once(':').unwrap();
    let typed = format!("tinker run info {session}:tr");
    let test = format!(
        "PATH={}:$PATH; . ./tinker.bash; COMP_LINE='{typed}'; COMP_POINT=${{#COMP_LINE}}; \
         COMP_WORDS=(tinker run info {session} : tr); COMP_CWORD=5; _tinker tinker tr :; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"; complete -p tinker",
        folder.display()
    );
    work.write("test.bash", &test);
    let shown = work.paste("bash test.bash");
    let rest = run.strip_prefix(&format!("{session}:")).unwrap();
    assert_eq!(
        shown.stdout,
        format!("{rest}\ncomplete -o bashdefault -F _tinker tinker\n"),
        "{}",
        shown.stderr
    );
}

#[test]
fn completions_do_not_wait_for_a_server_and_fail_quietly() {
    let work = Workplace::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let found = answers(&work, &["run", "info", "--base-url", &url, "x"]);
    assert_eq!(found, [""; 0]);
    // A command would wait for five minutes.
    assert!(started.elapsed() < Duration::from_mins(1));
    let found = answers(&work, &["run", "info", "--server", "no-such-profile", "x"]);
    assert_eq!(found, [""; 0]);

    let mut command = work.command(&["--", "tinker", "run", ""]);
    let run = Run::of(command.env("TINKER_COMPLETE", "no-shell").output().unwrap());
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (1, "", "")
    );
}

#[test]
fn completions_ask_the_server_of_the_line() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 20);
    let server = crate::serve::Server::start_with(&work, &[]);
    let url = server.url.as_str();
    train(&work, "out", &["--base-url", url]);
    let found = answers(&work, &["run", "info", "--base-url", url, ""]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], "latest");
    assert!(found[1].contains(":train:"), "{found:?}");
}

#[test]
fn every_command_has_a_manual_page() {
    let work = Workplace::new();
    let run = work.run(&["man", "man1"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut found = Vec::new();
    commands(&work, &[], &mut found);
    let page = |command: &Vec<String>| {
        let words = ["tinker"]
            .into_iter()
            .chain(command.iter().map(String::as_str));
        format!("{}.1", words.collect::<Vec<_>>().join("-"))
    };
    let mut pages: Vec<String> = found.iter().map(page).collect();
    pages.sort();
    assert_eq!(names(&work.path("man1")), pages);
    let text = std::fs::read_to_string(work.path("man1/tinker-export.1")).unwrap();
    assert!(text.contains("tinker export latest"), "{text}");
}
