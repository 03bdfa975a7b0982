//! Tests of what is refused before an engine starts or a server is contacted.

use crate::program::{Workplace, names};

#[test]
fn the_version_is_printed_by_option_and_command() {
    let work = Workplace::new();
    let version = concat!("tinker ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(work.run(&["--version"]).stdout, version);
    assert_eq!(work.run(&["version"]).stdout, version);
    assert_eq!(
        work.run(&["version", "--json"]).json()["version"],
        env!("CARGO_PKG_VERSION")
    );
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 4);
    for arguments in [
        &[][..],
        &["fly"],
        &["sample"],
        &["sample", ""],
        &["sample", "x", "--temperature", "-1"],
        &["sample", "x", "--top-p", "2"],
        &[
            "sample",
            "x",
            "--base-url",
            "http://127.0.0.1:9",
            "--data-dir",
            "d",
        ],
        &["train", "data.jsonl", "--learning-rate", "0"],
        &["train", "data.jsonl", "--epochs", "1", "--steps", "1"],
        &[
            "train",
            "data.jsonl",
            "--resume",
            "tinker://r/sampler_weights/n",
        ],
        &["train", "data.jsonl", "--first-step", "3"],
        &["sample", "x", "--base-url", "no address"],
        &["sample", "x", "--base-url", "127.0.0.1:8700"],
        &["sample", "x", "--base-url", "http://127.0.0.1:8700/api/v1"],
    ] {
        let run = work.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
        assert!(!run.stderr.is_empty());
    }
    assert_eq!(
        names(&work.path(".")),
        ["data.jsonl"],
        "no file was created"
    );
}

#[test]
fn errors_of_the_data_end_with_3_and_name_their_lines() {
    let work = Workplace::new();
    work.write(
        "data.jsonl",
        "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"a\"}\n",
    );
    let run = work.run(&["train", "data.jsonl", "--quiet"]);
    assert_eq!(run.code, 3);
    assert_eq!(
        run.stderr,
        "error: data.jsonl has 1 error\n  data.jsonl:2:1: has no \"completion\"\n    fix: add \"completion\"\nhint: nothing was trained; correct the lines, or leave them out with --skip-bad (--max-length leaves out long examples)\n"
    );
    work.write("data.jsonl", "");
    assert_eq!(work.run(&["train", "data.jsonl"]).code, 3);
    assert_eq!(
        names(&work.path(".")),
        ["data.jsonl"],
        "no file was created"
    );
}

#[test]
fn missing_data_end_with_3() {
    let work = Workplace::new();
    let run = work.run(&["train", "missing.jsonl", "--quiet"]);
    assert_eq!(run.code, 3);
    assert!(
        run.stderr
            .starts_with("error: missing.jsonl cannot be opened: "),
        "{}",
        run.stderr
    );
}

#[test]
fn completion_scripts_ask_the_program() {
    let work = Workplace::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = work.run(&["completions", shell]);
        assert!(
            run.code == 0 && run.stdout.contains("TINKER_COMPLETE"),
            "{shell}"
        );
    }
}
