//! Tests of the names of runs and checkpoints: `latest`, run ids and run folders, wherever a checkpoint is expected.

use serde_json::Value;

use crate::program::{Run, Workplace};

/// Trains a run in a folder, and returns its outcome.
pub(crate) fn train(work: &Workplace, output: &str, more: &[&str]) -> Value {
    let train = ["train", "data.jsonl", "--steps", "1", "--json", "--output"];
    work.run(&[&train[..], &[output], more].concat()).json()
}

fn run_of(address: &Value) -> String {
    let address = address.as_str().unwrap().strip_prefix("tinker://").unwrap();
    address.split('/').next().unwrap().to_owned()
}

fn sample(work: &Workplace, model: &str) -> Run {
    let sample = ["sample", "say a ->", "--temperature", "0", "--json"];
    work.run(&[&sample[..], &["--max-tokens", "4", "--model", model]].concat())
}

#[test]
fn a_run_is_named_by_its_id_its_folder_or_as_the_latest() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 20);
    let first = train(&work, "runs/first", &[]);
    let second = train(&work, "runs/second", &["--seed", "3"]);
    let (older, newer) = (run_of(&first["checkpoint"]), run_of(&second["checkpoint"]));

    for (name, outcome) in [
        ("latest", &second),
        (newer.as_str(), &second),
        (older.as_str(), &first),
        ("runs/first", &first),
        ("runs/second/", &second),
    ] {
        assert_eq!(
            sample(&work, name).json()["model"],
            outcome["sampler"],
            "{name}"
        );

        let export = ["export", name, "--out", "out", "--force", "--json"];
        let source = work.run(&export).json()["source"].clone();
        assert_eq!(run_of(&source), run_of(&outcome["checkpoint"]), "{name}");

        let resume = ["train", "data.jsonl", "--dry-run", "--resume", name];
        let plan = work.run(&resume);
        assert_eq!(plan.code, 0, "{name}: {}", plan.stderr);
        let checkpoint = outcome["checkpoint"].as_str().unwrap();
        let shown = format!("{}{}", plan.stdout, plan.stderr);
        assert!(shown.contains(checkpoint), "{name}: {shown}");
    }

    work.write(
        "pairs.jsonl",
        "{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"}\n",
    );
    let dpo = [
        "train",
        "dpo",
        "pairs.jsonl",
        "--steps",
        "1",
        "--output",
        "runs/dpo",
    ];
    let dpo = work.run(&[&dpo[..], &["--resume", "runs/first", "--json"]].concat());
    assert_eq!(dpo.code, 0, "{}", dpo.stderr);
}

#[test]
fn what_names_nothing_is_refused_with_what_can_be_given() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 20);
    std::fs::create_dir(work.path("empty")).unwrap();
    let export = |name| work.run(&["export", name, "--out", "out"]);
    for name in ["latest", "unknown", "empty", "runs/missing"] {
        let run = export(name);
        assert_eq!(run.code, 2, "{name}: {}", run.stderr);
        assert!(run.stderr.contains("`latest`"), "{name}: {}", run.stderr);
    }
    let run = sample(&work, "unknown");
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("tinker-local/tiny"), "{}", run.stderr);
    let run = sample(&work, "latest");
    assert!(
        run.code == 2 && run.stderr.contains("no runs"),
        "{}",
        run.stderr
    );
    let run = work.run(&["train", "data.jsonl", "--resume", "runs/missing"]);
    assert!(
        run.code == 2 && run.stderr.contains("--resume"),
        "{}",
        run.stderr
    );
    let run = work.run(&["train", "data.jsonl", "--resume", "latest"]);
    assert!(
        run.code == 2 && run.stderr.contains("no runs"),
        "{}",
        run.stderr
    );
}
