//! Tests of `tinker train` and `tinker sample` on the engine inside the program.

use crate::program::{Workplace, names};

const SHORT: [&str; 4] = ["--steps", "4", "--output", "run"];

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "data.jsonl"], &SHORT[..], more].concat()
}

#[test]
fn a_run_leaves_its_records_and_a_checkpoint_to_sample_from() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let outcome = work.run(&train(&["--json", "--eval-every", "2"])).json();

    assert_eq!(outcome["status"], "finished");
    assert_eq!(outcome["metrics"].as_array().unwrap().len(), 4);
    assert_eq!(outcome["samples"].as_array().unwrap().len(), 8);
    assert_eq!(outcome["after"]["asked"], 8);
    assert!(
        outcome["metrics"][1]["exact_match"].is_number(),
        "evaluated at step 2"
    );
    assert!(outcome["last_loss"].as_f64().unwrap() > 0.0);

    let run = work.path("run");
    assert_eq!(
        names(&run),
        [
            "config.json",
            "journal.jsonl",
            "loss.svg",
            "metrics.jsonl",
            "recipe.toml",
            "samples.json",
            "summary.json"
        ]
    );
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let steps: Vec<serde_json::Value> = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(serde_json::Value::from(steps), outcome["metrics"]);
    let config = std::fs::read_to_string(run.join("config.json")).unwrap();
    assert!(config.contains("\"data_sha256\"") && config.contains("\"rank\": 16"));

    let sampler = outcome["sampler"].as_str().unwrap();
    let sample = [
        "sample",
        "say a ->",
        "--model",
        sampler,
        "--temperature",
        "0",
        "--max-tokens",
        "5",
        "--json",
    ];
    let first = work.run(&sample).json();
    assert_eq!(first["model"], sampler);
    assert_eq!(
        first["samples"],
        work.run(&sample).json()["samples"],
        "greedy sampling is deterministic"
    );

    let again = work.run(&train(&[]));
    assert_eq!(again.code, 2, "a run is not overwritten: {}", again.stderr);
}

#[test]
fn the_suggested_command_works_when_pasted() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let run = work.run(&train(&["--data-dir", "my checkpoints"]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let command = run.stdout.lines().last().unwrap().trim();
    assert!(command.contains("--data-dir 'my checkpoints'"), "{command}");
    let pasted = work.paste(command);
    assert_eq!(pasted.code, 0, "{}", pasted.stderr);
}

#[test]
fn without_held_out_prompts_the_suggested_command_asks_the_first_of_the_data() {
    let work = Workplace::new();
    work.write(
        "data.jsonl",
        "{\"prompt\": \"Is it?\", \"completion\": \" yes\"}\n",
    );
    let outcome = work.run(&train(&["--json"])).json();
    let command = outcome["next"][0]["command"].as_str().unwrap();
    assert!(command.ends_with("--temperature 0 'Is it?'"), "{command}");
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let plan = work.run(&train(&["--dry-run", "--json"])).json();
    assert_eq!(plan["plan"]["steps"], 4);
    assert_eq!(plan["examples"], 32);
    assert_eq!(plan["held_out_prompts"], 8);
    assert_eq!(
        names(&work.path(".")),
        ["data.jsonl"],
        "no run folder, no checkpoints"
    );
}

#[test]
fn an_unwritable_run_folder_is_an_error_before_training() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    work.write("taken", "");
    let run = work.run(&["train", "data.jsonl", "--output", "taken/run"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains("cannot create the run folder taken/run"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("  before"), "nothing was evaluated");
}

#[test]
fn long_examples_are_errors_or_left_out() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let short = std::fs::read_to_string(work.path("data.jsonl")).unwrap();
    let long = "y".repeat(2000);
    work.write(
        "data.jsonl",
        &format!("{short}{{\"prompt\":\"x\",\"completion\":\"{long}\"}}\n"),
    );
    let run = work.run(&train(&["--dry-run"]));
    assert_eq!(run.code, 3);
    assert!(
        run.stderr.contains("data.jsonl:41: has 2002 tokens"),
        "{}",
        run.stderr
    );
    let plan = work
        .run(&train(&["--dry-run", "--json", "--max-length", "100"]))
        .json();
    assert_eq!(plan["longest_example_tokens"].as_u64().unwrap(), 13);
}

#[test]
fn intermediate_checkpoints_are_saved_and_can_be_resumed() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let run = work.run(&train(&["--json", "--save-every", "2"]));
    assert!(
        run.stderr.contains("/weights/step-000002"),
        "{}",
        run.stderr
    );
    let outcome = run.json();
    let saved: Vec<_> = (0..4)
        .map(|at| &outcome["metrics"][at]["checkpoint"])
        .collect();
    // The last one is saved under the name of the run.
    assert!(saved[0].is_null() && saved[2].is_null() && saved[3].is_null());
    let checkpoint = saved[1].as_str().unwrap();
    let rest = [
        "train",
        "data.jsonl",
        "--json",
        "--steps",
        "4",
        "--output",
        "rest",
    ];
    let from = ["--resume", checkpoint, "--first-step", "2"];
    let rest = work.run(&[&rest[..], &from[..]].concat()).json();
    for at in 0..2 {
        let (again, whole) = (&rest["metrics"][at], &outcome["metrics"][at + 2]);
        assert_eq!(again["loss"], whole["loss"], "bit for bit");
    }
}

#[test]
fn checkpoints_on_the_way_have_the_life_that_was_given() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let outcome = work.run(&train(&["--json", "--save-every", "2", "--ttl", "7d"]));
    let outcome = outcome.json();
    let expires = |address: &serde_json::Value| {
        let info = work.run(&["checkpoint", "info", address.as_str().unwrap(), "--json"]);
        info.json()["expires_at"].clone()
    };
    assert!(expires(&outcome["metrics"][1]["checkpoint"]).is_string());
    assert!(expires(&outcome["checkpoint"]).is_null());
}

#[test]
fn past_runs_are_listed_shown_and_compared() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    for (output, rate) in [("runs/a", "0.001"), ("runs/b", "0.002")] {
        let run = work.run(&[
            "train",
            "data.jsonl",
            "--steps",
            "2",
            "--learning-rate",
            rate,
            "--output",
            output,
        ]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let list = work.run(&["train", "list", "--json"]).json();
    let states: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["status"])
        .collect();
    assert_eq!(states, ["finished", "finished"]);
    let show = work.run(&["train", "show", "runs/a"]);
    assert!(
        show.stdout.contains("learning_rate = 0.001"),
        "{}",
        show.stdout
    );
    let diff = work
        .run(&["train", "diff", "runs/a", "runs/b", "--json"])
        .json();
    assert_eq!(diff[0]["name"], "learning_rate");
    assert_eq!(
        (&diff[0]["first"], &diff[0]["second"]),
        (&"0.001".into(), &"0.002".into())
    );
    let none = work.run(&["train", "show", "nowhere"]);
    assert_eq!(none.code, 2, "{}", none.stderr);
}

#[test]
fn only_the_chosen_parts_are_trained_with_the_chosen_scaling() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 20);
    let parts = ["--train", "mlp,attention", "--rank", "2", "--alpha", "7"];
    let plan = work.run(&train(&[&parts[..], &["--dry-run", "--json"]].concat()));
    let plan = plan.json();
    assert_eq!(
        plan["plan"]["train"],
        serde_json::json!(["attention", "mlp"])
    );
    let outcome = work.run(&train(&[&parts[..], &["--json"]].concat())).json();
    let address = outcome["checkpoint"].as_str().unwrap();
    let info = work.run(&["checkpoint", "info", address, "--json"]).json();
    let trained = ["train_attn", "train_mlp", "train_unembed"].map(|part| info[part].clone());
    assert_eq!(trained, [true, true, false].map(serde_json::Value::from));
    let download = [
        "checkpoint",
        "download",
        address,
        "--output",
        "out",
        "--json",
    ];
    let fetched = work.run(&download).json();
    assert_eq!(fetched["findings"], serde_json::json!([]));
    let config = std::fs::read_to_string(work.path("out/adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["lora_alpha"], 7.0);
    let config = std::fs::read_to_string(work.path("run/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let adapter = ["rank", "alpha", "train"].map(|key| config[key].clone());
    assert_eq!(
        adapter,
        [
            serde_json::json!(2),
            serde_json::json!(7),
            serde_json::json!(["attention", "mlp"])
        ]
    );
    for (wrong, why) in [
        (["--train", "heads"].as_slice(), "attention, mlp, unembed"),
        (
            &["--train", "mlp", "--resume", address],
            "cannot be used with",
        ),
    ] {
        let refused = work.run(&train(wrong));
        assert!(
            refused.code == 2 && refused.stderr.contains(why),
            "{}",
            refused.stderr
        );
    }
}
