//! Processes that are killed while they write.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, builder, save_body};

const FOLDER: &str = "TINKER_LOCAL_TEST_FOLDER";

/// Number of kills; `cargo xtask kill` sets it.
const KILLS: &str = "TINKER_LOCAL_KILLS";

/// Changes checkpoints in every possible way, and prints each change when it begins and when it was acknowledged.
async fn work(client: &Client) {
    let mut out = std::io::stdout();
    let mut say = |what: &str, path: &str| writeln!(out, "{what} {path}").unwrap();
    let (_, model) = client.model().await;
    // A step, so that the optimizer has state.
    client.forward_backward(&model, 1).await;
    client.step(&model, 2).await;
    let at = |kind: &str, name: &str| format!("tinker://{model}/{kind}/{name}");
    let place = |path: &str| {
        let path = path
            .trim_start_matches("tinker://")
            .replacen('/', "/checkpoints/", 1);
        format!("training_runs/{path}")
    };
    let mut number = 2;
    for round in 0_u32.. {
        let name = format!("n{round}");
        for (endpoint, kind, name) in [
            ("save_weights", "weights", "same"),
            ("save_weights", "weights", name.as_str()),
            ("save_weights_for_sampler", "sampler_weights", name.as_str()),
            ("save_weights_external", "external_weights", name.as_str()),
        ] {
            number += 1;
            let mut body = save_body(&model, number, name);
            body["overwrite"] = true.into();
            body["type"] = endpoint.into();
            say("writes", &at(kind, name));
            client
                .done(&client.post(endpoint, body).await.promise())
                .await;
            say("has", &at(kind, name));
        }
        let saved = at("weights", &name);
        for public in [true, false] {
            let publish = format!("{}/publish", place(&saved));
            let method = if public {
                http::Method::POST
            } else {
                http::Method::DELETE
            };
            assert_eq!(client.send(method, &publish, &[], "").await.status, 200);
        }
        let ttl = json!({ "ttl_seconds": 3600 });
        assert_eq!(
            client
                .put(&format!("{}/ttl", place(&saved)), ttl)
                .await
                .status,
            200
        );
        let copy = client
            .post("copy_weights", json!({ "source_path": saved }))
            .await;
        say("has", copy.json()["tinker_path"].as_str().unwrap());
        // Reads the archive meanwhile: a kill while reading must do no harm either.
        let external = at("external_weights", &name);
        let urls = client
            .get(&format!("{}/external_weights_urls", place(&external)))
            .await
            .json();
        let link = urls["urls"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(client.follow(&link).await.status, 200);
        if round % 2 == 1 {
            for path in [&saved, &external] {
                say("removes", path);
                assert_eq!(client.delete(&place(path)).await.status, 200);
                say("lacks", path);
            }
        }
    }
}

#[test]
#[ignore = "runs in a process of its own, started and killed by the other test here"]
fn works_until_it_is_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = Client::of(&builder().data_dir(folder).build().unwrap());
        work(&client).await;
    });
}

/// Printed state of each checkpoint at the kill.
#[derive(Debug, Default)]
struct Said {
    there: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl Said {
    fn note(&mut self, line: &str) {
        // Output of the test harness may precede it on the line.
        for (word, path) in ["writes", "has", "removes", "lacks"]
            .iter()
            .filter_map(|word| Some((*word, line.split_once(&format!("{word} tinker://"))?.1)))
        {
            let path = format!("tinker://{path}");
            match word {
                "has" => drop(self.there.insert(path)),
                "lacks" => drop(self.gone.insert(path)),
                // Both states are allowed until the end of the change is printed.
                "removes" => drop(self.there.remove(&path)),
                // An overwritten checkpoint exists, in the old or the new version.
                _ => {}
            }
        }
    }
}

/// Starts a process, kills it after `lines` lines and a moment, and returns its output.
fn killed(folder: &Path, lines: usize, moment: Duration) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::works_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = Said::default();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in out.by_ref().take(lines) {
        said.note(&line.unwrap());
    }
    std::thread::sleep(moment);
    assert!(
        child.try_wait().unwrap().is_none(),
        "it ended by itself, after {said:?}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    out.map_while(Result::ok).for_each(|line| said.note(&line));
    assert!(
        !said.there.is_empty(),
        "killed before it had saved anything"
    );
    said
}

/// Checks that every checkpoint in the data folder is complete and that acknowledged ones exist. Returns their number.
async fn check(folder: &Path, said: &Said) -> usize {
    let client = Client::of(&builder().data_dir(folder).build().unwrap());
    let session = client.session().await;
    let listed = client.get("checkpoints?limit=100000").await.json();
    let listed: BTreeMap<String, Value> = listed["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["tinker_path"].as_str().unwrap().to_owned(), one.clone()))
        .collect();
    for path in &said.there {
        assert!(
            listed.contains_key(path),
            "{path} was acknowledged and is not there"
        );
    }
    for path in &said.gone {
        assert!(
            !listed.contains_key(path),
            "{path} was removed and is there"
        );
    }
    let loadable = |path: &&String| !path.contains("/external_weights/");
    for (number, path) in (0..).zip(listed.keys().filter(loadable)) {
        if path.contains("/weights/") {
            let body = json!({"session_id": session, "model_seq_id": number, "path": path, "optimizer": true});
            client
                .done(&client.post("load_weights", body).await.promise())
                .await;
            let model = format!("{session}:train:{number}");
            assert_eq!(
                client
                    .post("unload_model", json!({ "model_id": model }))
                    .await
                    .status,
                200
            );
        } else {
            client
                .sampler(&session, number, json!({ "model_path": path }))
                .await;
        }
    }
    let mut left = std::fs::read_dir(folder.join("tmp")).unwrap();
    assert!(left.next().is_none(), "something half-written is left");
    // Folders without a readable checkpoint are ignored and not listed, so none may exist.
    let mut folders = 0;
    for run in std::fs::read_dir(folder.join("checkpoints")).unwrap() {
        for kind in std::fs::read_dir(run.unwrap().path()).unwrap().flatten() {
            if kind.path().is_dir() {
                folders += std::fs::read_dir(kind.path()).unwrap().count();
            }
        }
    }
    assert_eq!(
        folders,
        listed.len(),
        "a half-written checkpoint is in its place"
    );
    listed.len()
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_can_be_loaded() {
    let kills = std::env::var(KILLS).map_or(8, |text| text.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(3);
    let mut folder = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut loaded) = (0, 0);
    for kill in 0..kills {
        // A folder with leftovers of several kills, which must not grow without bound.
        if kill % 10 == 9 {
            folder = tempfile::tempdir().unwrap();
        }
        let (lines, moment) = (
            random.usize(8..40),
            Duration::from_micros(random.u64(..20_000)),
        );
        let said = killed(folder.path(), lines, moment);
        acknowledged += said.there.len();
        loaded += check(folder.path(), &said).await;
    }
    let summary = format!(
        "{kills} kills: {acknowledged} acknowledged checkpoints are there, {loaded} were read, none was half-written"
    );
    let mut out = std::io::stdout();
    writeln!(out, "{summary}").unwrap();
}
