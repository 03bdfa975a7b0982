//! Tests of `tinker checkpoint push` against a local server that takes commits as the Hub does.

#[path = "../../../tinker-client/tests/hub/taker.rs"]
mod taker;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::manage;
use crate::program::{Run, Workplace};
use taker::{COMMIT, Habits, TOKEN, Taker, sha256};

const DIGEST: &str = "0b1c2d3e";

/// A checkpoint in the data folder, and the folder of a run that made it.
fn prepare(work: &Workplace) -> String {
    let run = manage::save(work, &["a"]);
    std::fs::create_dir_all(work.path("chats")).unwrap();
    let config = format!(
        r#"{{"data": "/home/me/secret/chats.jsonl", "data_sha256": "{DIGEST}", "rank": 1, "learning_rate": 0.001, "recipe": null}}"#
    );
    work.write("chats/config.json", &config);
    work.write(
        "chats/metrics.jsonl",
        "{\"step\": 40, \"tokens\": 9, \"learned_tokens\": 4, \"loss\": 0.5, \"learning_rate\": 0.001, \"grad_norm\": null, \"seconds\": 1.0}\n",
    );
    let summary = format!(
        r#"{{"status": "finished", "checkpoint": "tinker://{run}/weights/a", "tokens": 12345, "first_loss": 3.25, "last_loss": 0.5, "before": {{"exact": 1, "asked": 8, "rate": 0.125}}, "after": {{"exact": 7, "asked": 8, "rate": 0.875}}}}"#
    );
    work.write("chats/summary.json", &summary);
    run
}

/// The number of copies of adapters that are left in the cache.
fn cached(work: &Workplace) -> usize {
    let folder = std::fs::read_dir(work.path(".cache/tinker/push"));
    folder.unwrap().count()
}

fn push(work: &Workplace, hub: &Taker, token: &str, arguments: &[&str]) -> Run {
    let mut command = work.command(&[&["checkpoint", "push"], arguments].concat());
    command
        .env("HF_ENDPOINT", hub.url())
        .env("HF_HOME", work.path("hf"))
        .env("HF_TOKEN", token);
    Run::of(command.output().unwrap())
}

#[test]
fn a_run_becomes_a_repository_with_a_card() {
    let (work, hub) = (Workplace::new(), Taker::start(Habits::default()));
    prepare(&work);
    let arguments = [
        "chats",
        "me/chats",
        "--data-dir",
        "data",
        "--license",
        "apache-2.0",
        "--model",
        "Qwen/Qwen3-0.6B",
    ];
    let shown = push(
        &work,
        &hub,
        TOKEN,
        &[&arguments[..], &["--dry-run"]].concat(),
    );
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let card = shown.stdout.clone();
    for part in [
        "---\nbase_model: \"Qwen/Qwen3-0.6B\"\nlibrary_name: peft\npipeline_tag: text-generation\nlicense: \"apache-2.0\"\n",
        "# chats\n\nA LoRA adapter of rank 1 for [Qwen/Qwen3-0.6B](https://huggingface.co/Qwen/Qwen3-0.6B)",
        "PeftModel.from_pretrained(base, \"me/chats\")",
        "| data | `chats.jsonl` |\n| SHA-256 of the data | `0b1c2d3e` |\n| steps | 40 |\n| tokens | 12,345 |\n",
        "| loss at last | 0.5000 |\n| held-out answers before | 1 of 8 exact |",
    ] {
        assert!(card.contains(part), "{part}\n{card}");
    }
    assert!(
        !card.contains("/home") && !card.contains("| recipe |"),
        "{card}"
    );
    assert!(
        shown.stderr.contains("adapter_model.safetensors"),
        "{}",
        shown.stderr
    );
    assert!(hub.state().heads[0].is_empty());
    assert_eq!(cached(&work), 0);

    let pushed = push(
        &work,
        &hub,
        TOKEN,
        &[&arguments[..], &["--private", "--commit-message", "First"]].concat(),
    );
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(pushed.stdout, format!("{}/me/chats\n", hub.url()));
    assert!(
        pushed.stderr.contains("3 of 3 files sent"),
        "{}",
        pushed.stderr
    );
    let committed = hub.committed();
    let names: Vec<&str> = committed.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "README.md",
            "adapter_config.json",
            "adapter_model.safetensors"
        ]
    );
    let content = committed["README.md"]["value"]["content"].as_str().unwrap();
    assert_eq!(BASE64_STANDARD.decode(content).unwrap(), card.as_bytes());
    let state = hub.state();
    assert!(state.repositories["me/chats"]);
    let weights = committed["adapter_model.safetensors"]["value"]["oid"]
        .as_str()
        .unwrap();
    assert_eq!(sha256(&state.stored[weights]), weights);
    drop(state);
    assert_eq!(cached(&work), 0);

    let again = push(&work, &hub, TOKEN, &[&arguments[..], &["--json"]].concat()).json();
    assert_eq!(
        (&again["commit"], &again["files"][2]["is_new"]),
        (&COMMIT.into(), &false.into())
    );
}

#[test]
fn a_folder_of_an_adapter_is_pushed_as_it_is() {
    let (work, hub) = (Workplace::new(), Taker::start(Habits::default()));
    let run = prepare(&work);
    let address = format!("tinker://{run}/weights/a");
    let fetched = work.run(&[
        "checkpoint",
        "download",
        &address,
        "-o",
        "adapter",
        "--data-dir",
        "data",
    ]);
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let pushed = push(
        &work,
        &hub,
        TOKEN,
        &["adapter", "chats", "--no-card", "--revision", "v2"],
    );
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(pushed.stdout, format!("{}/me/chats\n", hub.url()));
    assert_eq!(hub.committed().len(), 2);
    assert_eq!(hub.state().branches, ["v2"]);
    assert!(work.path("adapter/adapter_config.json").is_file());
    // The built-in model is none of the Hub.
    let shown = push(&work, &hub, TOKEN, &["adapter", "chats", "--dry-run"]);
    assert!(!shown.stdout.contains("base_model:"), "{}", shown.stdout);
    assert!(
        shown.stderr.contains("name it with --model"),
        "{}",
        shown.stderr
    );
}

#[test]
fn a_wrong_or_missing_token_ends_with_advice() {
    let (work, hub) = (Workplace::new(), Taker::start(Habits::default()));
    prepare(&work);
    let arguments = ["chats", "me/chats", "--data-dir", "data"];
    for (token, part) in [
        ("hf_wrong", "refused the token (401)"),
        ("", "log in with `hf auth login`, or set HF_TOKEN"),
    ] {
        let refused = push(&work, &hub, token, &arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
        assert!(!refused.stderr.contains("hf_wrong"), "{}", refused.stderr);
        assert_eq!(cached(&work), 0);
    }
    let wrong = push(
        &work,
        &hub,
        TOKEN,
        &["chats", "a/b/c", "--data-dir", "data"],
    );
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
}
