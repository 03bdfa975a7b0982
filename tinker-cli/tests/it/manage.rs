//! Tests of the commands that manage runs and checkpoints, against `tinker serve` and the engine in the process.

use tinker_client::{FinishReason, LoraConfig, ServiceClient, TrainingClient};
use tinker_local::LocalEngine;

use crate::program::{Run, Workplace};
use crate::serve::Server;

/// Saves training checkpoints into the data folder of a workplace, and one for samplers, and returns the id of the run.
pub(crate) fn save(work: &Workplace, names: &[&str]) -> String {
    with_run(work, async |training| {
        for name in names {
            training.save_state(*name).await.unwrap();
        }
        training.save_weights_for_sampler("s1").await.unwrap();
    })
}

/// Starts a run in the data folder of a workplace, lets `save` save checkpoints of it, and returns its id.
pub(crate) fn with_run(work: &Workplace, save: impl AsyncFnOnce(&TrainingClient)) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let engine = LocalEngine::builder().data_dir(work.path("data")).build();
        let engine = engine.unwrap();
        let service = ServiceClient::builder().leaf(engine.service()).build();
        let service = service.unwrap();
        let model = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(1));
        let training = model.await.unwrap();
        save(&training).await;
        let run = training.model_id().to_string();
        service.close(FinishReason::Success).await.unwrap();
        run
    })
}

fn lines(run: &Run) -> Vec<serde_json::Value> {
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines = run.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn lists_are_filtered_sorted_limited_and_fit_the_terminal() {
    let work = Workplace::new();
    let run = save(&work, &["a", "b", "c"]);
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let list = |more: &[&str]| {
        let list = ["checkpoint", "list", "--base-url", &server.url];
        work.run(&[&list[..], more].concat())
    };
    let all = lines(&list(&["--json"]));
    assert_eq!(all.len(), 4);
    assert_eq!(
        all[0]["tinker_path"],
        format!("tinker://{run}/sampler_weights/s1")
    );
    let states = lines(&list(&[
        "--json",
        "--filter",
        "type=training",
        "--sort",
        "-path",
        "--limit",
        "2",
    ]));
    let ids: Vec<&str> = states
        .iter()
        .map(|row| row["checkpoint_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["weights/c", "weights/b"]);
    let few = list(&["--limit", "2"]);
    assert!(
        few.stderr
            .contains("2 checkpoints shown; there are more, --limit 0 shows all"),
        "{}",
        few.stderr
    );
    let table = list(&[]);
    assert!(
        table.stdout.lines().all(|line| line.chars().count() <= 80),
        "{}",
        table.stdout
    );
    for path in all.iter().map(|row| row["tinker_path"].as_str().unwrap()) {
        assert!(table.stdout.contains(path), "{}", table.stdout);
    }
    let csv = list(&[
        "--columns",
        "id,size,public",
        "--csv",
        "--filter",
        "id=weights/a",
    ]);
    assert!(
        csv.stdout.starts_with("id,size,public\nweights/a,"),
        "{}",
        csv.stdout
    );
    assert!(csv.stdout.ends_with(",false\n"), "{}", csv.stdout);
    let none = list(&["--filter", "size<1KB"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    assert!(
        none.stderr.contains("no match among 4 checkpoints"),
        "{}",
        none.stderr
    );
    for (options, why) in [
        (
            &["--filter", "colour=red"][..],
            "no such column; it has path, id, type",
        ),
        (&["--columns", "id,colour"], "--columns colour"),
        (&["--sort", "-colour"], "--sort colour"),
        (&["--filter", "size>big"], "is not a size"),
    ] {
        let refused = list(options);
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
}

#[test]
fn a_run_is_named_by_id_checkpoint_folder_or_as_the_latest() {
    let work = Workplace::new();
    save(&work, &["old"]);
    let run = save(&work, &["a"]);
    std::fs::create_dir(work.path("run")).unwrap();
    let summary = format!(r#"{{"checkpoint":"tinker://{run}/weights/a","sampler":null}}"#);
    work.write("run/summary.json", &summary);
    let address = format!("tinker://{run}/weights/a");
    let data = ["--data-dir", "data", "--json"];
    for name in [&run, &address, "run", "latest"] {
        let info = work
            .run(&[&["run", "info", name][..], &data].concat())
            .json();
        assert_eq!(info["training_run_id"], run, "{name}");
        assert_eq!(info["base_model"], "tinker-local/tiny");
    }
    for name in [address.as_str(), "run"] {
        let info = work
            .run(&[&["checkpoint", "info", name][..], &data].concat())
            .json();
        assert_eq!(info["tinker_path"], address, "{name}");
        assert_eq!(info["lora_rank"], 1);
        assert_eq!(info["is_lora"], true);
    }
    let newest = work
        .run(&[&["checkpoint", "info", "latest"][..], &data].concat())
        .json();
    assert_eq!(newest["checkpoint_id"], "sampler_weights/s1");
    for (name, code) in [("none", 1), ("a/b", 2), (".", 2)] {
        let run = work.run(&[&["run", "info", name][..], &data].concat());
        assert_eq!(run.code, code, "{}", run.stderr);
    }
    let text = work.run(&["run", "info", "latest", "--data-dir", "data"]);
    assert!(
        text.stdout.starts_with("id               "),
        "{}",
        text.stdout
    );
}

#[test]
fn checkpoints_are_published_copied_and_given_a_lifetime() {
    let work = Workplace::new();
    let run = save(&work, &["a"]);
    let address = format!("tinker://{run}/weights/a");
    let checkpoint = |arguments: &[&str]| {
        let data = ["--data-dir", "data", "--json"];
        work.run(&[&["checkpoint"][..], arguments, &data].concat())
    };
    let info = || checkpoint(&["info", &address]).json();
    assert_eq!(
        checkpoint(&["publish", &address, "--dry-run"]).json()["is_dry_run"],
        true
    );
    assert_eq!(info()["public"], false);
    checkpoint(&["publish", &address]).json();
    assert_eq!(info()["public"], true);
    // A second time is a conflict, which is not repeated.
    assert_eq!(checkpoint(&["publish", &address]).code, 1);
    checkpoint(&["unpublish", &address]).json();
    assert_eq!(info()["public"], false);
    checkpoint(&["ttl", &address, "--ttl", "7d"]).json();
    assert!(info()["expires_at"].is_string());
    checkpoint(&["set-ttl", &address, "--remove"]).json();
    assert!(info()["expires_at"].is_null());
    for wrong in [
        &["ttl", &address][..],
        &["ttl", &address, "--ttl", "soon"],
        &["ttl", &address, "--ttl", "0"],
    ] {
        assert_eq!(checkpoint(wrong).code, 2);
    }
    let copy = checkpoint(&["copy", &address, "--project", "mine"]).json();
    let copy = copy["tinker_path"].as_str().unwrap();
    assert_ne!(copy, address);
    assert_eq!(checkpoint(&["info", copy]).json()["lora_rank"], 1);
}

#[test]
fn deleting_asks_first() {
    let work = Workplace::new();
    let run = save(&work, &["a", "b"]);
    let data = ["--data-dir", "data", "--json"];
    let delete =
        |arguments: &[&str]| work.run(&[&["checkpoint", "delete"][..], arguments, &data].concat());
    let count = || lines(&work.run(&[&["checkpoint", "list"][..], &data].concat())).len();
    let refused = delete(&["--run", &run]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("add --yes"), "{}", refused.stderr);
    let dry = delete(&["--run", &run, "--filter", "type=training", "--dry-run"]).json();
    assert_eq!(dry["selected"].as_array().unwrap().len(), 2);
    assert_eq!(count(), 3);
    for wrong in [&[][..], &["--all", "--yes"], &["latest", "--run", &run]] {
        assert_eq!(delete(wrong).code, 2, "{wrong:?}");
    }
    let (a, none) = (
        format!("tinker://{run}/weights/a"),
        format!("tinker://{run}/weights/none"),
    );
    let mixed = delete(&[&a, &none, &a, "--yes"]);
    assert_eq!(mixed.code, 1);
    let outcome: serde_json::Value = serde_json::from_str(&mixed.stdout).unwrap();
    assert_eq!(outcome["deleted"], serde_json::json!([a]));
    assert_eq!(outcome["failed"][0]["tinker_path"], none);
    assert_eq!(count(), 2);
    let rest = delete(&["--all", "--filter", "type=training", "--yes"]).json();
    assert_eq!(rest["deleted_count"], 1);
    assert_eq!(count(), 1);
}

#[test]
fn sessions_models_usage_and_the_log_are_shown() {
    let work = Workplace::new();
    let run = save(&work, &["a"]);
    let session = run.split(':').next().unwrap();
    let show =
        |arguments: &[&str]| work.run(&[arguments, &["--data-dir", "data", "--json"]].concat());
    let sessions = lines(&show(&["session", "list"]));
    assert_eq!(sessions[0]["session_id"], session);
    let found = lines(&show(&["session", "search", "--status", "success"]));
    assert_eq!(found[0]["checkpoints_count"], 2);
    assert!(lines(&show(&["session", "search", "--status", "failed"])).is_empty());
    assert_eq!(
        show(&["session", "info", session]).json()["training_run_ids"][0],
        run
    );
    assert_eq!(
        show(&["project", "assign", "p1", session]).json()["project_id"],
        "p1"
    );
    assert_eq!(lines(&show(&["run", "list", "--project", "p1"])).len(), 1);
    let url = show(&["session", "export-trace", session, "--url-only"]).json();
    assert!(url["url"].as_str().unwrap().starts_with("http"));
    let trace = show(&["session", "export-trace", session, "--output", "t"]).json();
    let size = std::fs::metadata(work.path("t")).unwrap().len();
    assert_eq!(trace["file_size_bytes"], size);
    assert_eq!(
        show(&["session", "export-trace", session, "--output", "t"]).code,
        2
    );
    let models = lines(&show(&["model", "list", "TINY"]));
    assert_eq!(models[0]["model_name"], "tinker-local/tiny");
    assert_eq!(
        show(&["model", "info", "tinker-local/tiny"]).json()["trainable"],
        true
    );
    assert_eq!(show(&["model", "info", "other"]).code, 2);
    let storage = lines(&show(&["billing", "storage"]));
    assert_eq!(storage[0]["checkpoint_count"], 2);
    assert_eq!(show(&["billing", "usage", "2d"]).code, 0);
    assert_eq!(show(&["billing", "usage", "yesterday"]).code, 2);
    // The log lasts as long as the engine.
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let show = |arguments: &[&str]| {
        work.run(&[arguments, &["--base-url", &server.url, "--json"]].concat())
    };
    let address = format!("tinker://{run}/weights/a");
    show(&["checkpoint", "delete", &address, "--yes"]).json();
    let log = lines(&show(&["audit", "--events", "checkpoints"]));
    assert!(
        log.iter().any(|entry| entry["tinker_path"] == address),
        "{log:?}"
    );
}
