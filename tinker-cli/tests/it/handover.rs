//! Tests of `tinker handover`.

use serde_json::Value;

use crate::program::{Workplace, names, words};
use crate::restart::StandIn;
use crate::serve::Server;

const TRAIN: &str = "train data.jsonl --local --data-dir here --steps 6 --save-every 3 --batch-size 8 --rank 4 \
                     --eval eval.jsonl --output run";

/// A folder with a finished run, and its result.
fn trained() -> (Workplace, Value) {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    work.write_examples("eval.jsonl", 1);
    let run = work.run(&words(TRAIN, &["--json"])).json();
    (work, run)
}

fn hand_over(work: &Workplace, arguments: &[&str]) -> Value {
    let line = [&["handover", "--data-dir", "here", "--json"], arguments].concat();
    work.run(&line).json()
}

fn loss(step: &Value) -> f64 {
    step["loss"].as_f64().unwrap()
}

fn notes(answer: &Value) -> String {
    answer["notes"].to_string()
}

#[test]
fn a_run_goes_on_where_its_adapter_was_uploaded() {
    let (work, whole) = trained();
    let server = Server::start_with(&work, &["--data-dir", "there"]);
    let there = ["--to", &server.url];
    let answer = hand_over(
        &work,
        &[&["run", "--checkpoint", "step-000003"], &there[..]].concat(),
    );
    assert_eq!(
        (&answer["way"], &answer["steps_done"]),
        (&"upload".into(), &3.into())
    );
    assert!(
        notes(&answer).contains("optimizer is not carried over"),
        "{answer}"
    );

    let next = answer["next"].as_str().unwrap();
    assert!(
        next.contains(&format!("--base-url {}", server.url)),
        "{next}"
    );
    let run = work.paste(&format!("{next} --output there-run --json"));
    assert_eq!(run.code, 0, "{next}: {}", run.stderr);
    let run = run.json();
    assert_eq!(run["metrics"].as_array().unwrap().len(), 3, "steps 4 to 6");
    let (continued, whole) = (&run["metrics"][0], &whole["metrics"]);
    assert_eq!(
        (&continued["step"], &whole[3]["step"]),
        (&4.into(), &4.into())
    );
    let difference = (loss(continued) - loss(&whole[3])).abs();
    assert!(difference < 1e-5, "{difference}");
    let learned = (loss(continued) - loss(&whole[0])).abs();
    assert!(
        learned > 1e-3,
        "a fresh adapter would have the loss of step 1"
    );
    assert_eq!(continued["learning_rate"], whole[3]["learning_rate"]);

    let bare = hand_over(&work, &[&[run_checkpoint(&work)][..], &there[..]].concat());
    assert!(
        notes(&bare).contains("settings of the run are not known"),
        "{bare}"
    );
    let wrong = ["handover", "run", "--data-dir", "here", "--model", "other"];
    let wrong = work.run(&[&wrong[..], &there].concat());
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("has no model \"other\""),
        "{}",
        wrong.stderr
    );
}

/// The last checkpoint of the run.
fn run_checkpoint(work: &Workplace) -> &'static str {
    let summary = std::fs::read(work.path("run/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    summary["checkpoint"].as_str().unwrap().to_owned().leak()
}

#[test]
fn a_server_without_uploads_gets_the_merged_model() {
    let (work, _) = trained();
    let url = StandIn::start();
    let answer = hand_over(&work, &["run", "--to", &url]);
    assert_eq!(answer["way"], "merged");
    assert!(
        notes(&answer).contains("all 6 steps of the run are done"),
        "{answer}"
    );
    let files = names(&work.path("merged-final"));
    assert!(files.contains(&"model.safetensors".to_owned()), "{files:?}");

    // A named server is known, and not asked: nothing listens there.
    let named = ["run", "--checkpoint", "step-000003", "--to", "skyrl"];
    let answer = hand_over(&work, &[&named[..], &["--dtype", "f32"]].concat());
    let start = answer["start"].as_str().unwrap();
    let folder = answer["folder"].as_str().unwrap();
    let plan = work.paste(&format!("{start} --gpus 8"));
    assert_eq!(plan.code, 0, "{start}: {}", plan.stderr);
    assert!(
        plan.stdout.contains(&format!("--base-model {folder}")),
        "{}",
        plan.stdout
    );
    let next = answer["next"].as_str().unwrap();
    for words in ["--server skyrl", "--steps 3", "--rank 4", "--batch-size 8"] {
        assert!(next.contains(words), "{next}");
    }
    let again = [&["handover", "--data-dir", "here"], &named[..]].concat();
    let again = work.run(&again);
    assert!(
        again.code != 0 && again.stderr.contains("--force"),
        "{}",
        again.stderr
    );

    let adapter = hand_over(&work, &["run", "--to", "skyrl", "--as", "peft"]);
    assert!(notes(&adapter).contains("not tested"), "{adapter}");
    assert_eq!(adapter["next"], Value::Null);
    assert!(work.path("adapter-final/adapter_config.json").exists());
}

#[test]
fn what_cannot_be_handed_over_is_refused() {
    let (work, _) = trained();
    for (arguments, message) in [
        (&["nothing", "--to", "skyrl"][..], "neither a run folder"),
        (
            &["tinker://r/sampler_weights/a", "--to", "skyrl"],
            "sampling weights",
        ),
        (&["tinker://r/weights/a", "--to", "nowhere"], "nowhere"),
    ] {
        let run = work.run(&[&["handover"], arguments].concat());
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
    for (option, value, to) in [
        ("--out", "x", "local"),
        ("--dtype", "f32", "hosted"),
        ("--model", "x", "skyrl"),
    ] {
        let run = work
            .command(&[
                "handover",
                "run",
                "--data-dir",
                "here",
                "--to",
                to,
                option,
                value,
            ])
            .env("TINKER_API_KEY", "tml-x")
            .output()
            .unwrap();
        let stderr = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains(&format!("{option} has no effect")),
            "{stderr}"
        );
    }
    let missing = work.run(&["handover", "tinker://r/weights/a", "--to", "skyrl"]);
    assert_eq!(missing.code, 1, "{}", missing.stderr);
}
