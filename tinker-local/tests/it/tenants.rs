//! Tenants: each accepted API key has its own sessions, runs and checkpoints.

use http::Method;
use serde_json::{Value, json};
use tinker_local::{LocalEngine, LocalEngineBuilder};

use crate::support::{BASE, Client, builder, request, sample_body, save_body, step_body};

pub(crate) const KEYS: [&str; 2] = ["tml-alice", "tml-bob"];

pub(crate) fn engine(folder: Option<&std::path::Path>) -> LocalEngine {
    let builder = KEYS
        .into_iter()
        .fold(builder(), LocalEngineBuilder::api_key);
    let builder = match folder {
        Some(folder) => builder.data_dir(folder),
        None => builder,
    };
    builder.build().unwrap()
}

pub(crate) fn tenants(engine: &LocalEngine) -> [Client; 2] {
    KEYS.map(|key| Client::of(engine).with_key(key))
}

async fn save(client: &Client, model: &str, number: u64, name: &str) -> String {
    let saved = client.post("save_weights", save_body(model, number, name));
    let saved = client.done(&saved.await.promise()).await;
    saved["path"].as_str().unwrap().to_owned()
}

/// A path below the prefix for a checkpoint.
fn below(path: &str, what: &str) -> String {
    let (run, name) = path["tinker://".len()..].split_once('/').unwrap();
    format!("training_runs/{run}/checkpoints/{name}{what}")
}

#[tokio::test]
async fn a_tenant_cannot_use_what_belongs_to_another() {
    let engine = engine(None);
    let [alice, bob] = tenants(&engine);
    let (session, model) = alice.model().await;
    let path = save(&alice, &model, 1, "a").await;
    let external =
        json!({"model_id": model, "path": "b", "seq_id": 2, "type": "save_weights_external"});
    let external = alice.post("save_weights_external", external).await;
    let promise = external.promise();
    let external = alice.done(&promise).await["path"]
        .as_str()
        .unwrap()
        .to_owned();
    let sampler = alice
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let (bobs_session, bobs_model) = bob.model().await;

    let post = |path: &str, body: Value| (Method::POST, path.to_owned(), body);
    let get = |path: String| (Method::GET, path, json!({}));
    let lora =
        json!({"rank": 4, "seed": 1, "train_unembed": true, "train_mlp": true, "train_attn": true});
    let requests = [
        post(
            "session_heartbeat",
            json!({"session_id": session, "type": "session_heartbeat"}),
        ),
        get(format!("sessions/{session}")),
        (
            Method::PUT,
            format!("sessions/{session}/project"),
            json!({"project_id": "p"}),
        ),
        get(format!("sessions/{session}/trace_export")),
        post(
            "create_sampling_session",
            json!({"session_id": session, "sampling_session_seq_id": 7, "base_model": BASE, "type": "create_sampling_session"}),
        ),
        post(
            "join_sampling_session",
            json!({"sampling_session_id": sampler}),
        ),
        get(format!("samplers/{sampler}")),
        post("asample", sample_body(&sampler, 0, 1)),
        post("stream_sample", sample_body(&sampler, 1, 1)),
        post(
            "retrieve_futures",
            json!({"target": {"type": "sampling_session", "sampling_session_id": sampler, "cloned_sampler_id": 0}, "prev_cursor": 0, "timeout": 0.0, "retrieved_request_ids": []}),
        ),
        post(
            "create_model",
            json!({"session_id": session, "model_seq_id": 1, "base_model": BASE, "lora_config": lora, "optimizer_config": {"type": "adamw"}, "type": "create_model"}),
        ),
        post("get_info", json!({"model_id": model, "type": "get_info"})),
        post(
            "forward_backward",
            serde_json::to_value(request(&model, 3)).unwrap(),
        ),
        post("forward", serde_json::to_value(request(&model, 4)).unwrap()),
        post("optim_step", step_body(&model, 5)),
        post("save_weights", save_body(&model, 6, "c")),
        post(
            "save_weights_for_sampler",
            json!({"model_id": model, "path": "d", "seq_id": 7, "type": "save_weights_for_sampler"}),
        ),
        post(
            "save_weights_external",
            json!({"model_id": model, "path": "e", "seq_id": 8, "type": "save_weights_external"}),
        ),
        post(
            "load_weights",
            json!({"model_id": model, "path": path, "seq_id": 9, "optimizer": true, "type": "load_weights"}),
        ),
        post(
            "load_weights",
            json!({"session_id": session, "model_seq_id": 2, "path": path, "optimizer": true, "type": "load_weights"}),
        ),
        post("retrieve_future", json!({"request_id": promise})),
        post("weights_info", json!({"tinker_path": path})),
        post("copy_weights", json!({"source_path": path})),
        get(format!("training_runs/{model}")),
        get(format!("training_runs/{model}/checkpoints")),
        get(below(&external, "/external_weights_urls")),
        get(below(&path, "/archive")),
        (Method::POST, below(&path, "/publish"), json!({})),
        (
            Method::PUT,
            below(&path, "/ttl"),
            json!({"ttl_seconds": 1000}),
        ),
        (Method::DELETE, below(&external, ""), json!({})),
        post("unload_model", json!({"model_id": model})),
        post(
            &format!("sessions/{session}/finish"),
            json!({"reason": {"type": "success"}}),
        ),
    ];
    let json = [("content-type", "application/json")];
    for (method, path, body) in &requests {
        let reply = bob
            .send(method.clone(), path, &json, body.to_string())
            .await;
        assert_eq!(reply.status, 404, "{path}: {:?}", reply.body);
        let unknown = body.to_string().replace(&session, "s-000000000000");
        let place = path.replace(&session, "s-000000000000");
        let unknown = bob.send(method.clone(), &place, &json, unknown).await;
        let detail = unknown.detail().replace("s-000000000000", &session);
        assert_eq!((unknown.status, detail), (404, reply.detail()), "{path}");
    }
    // His own session does not help: the checkpoint is the other's.
    let source = json!({"session_id": bobs_session, "sampling_session_seq_id": 1, "model_path": path, "type": "create_sampling_session"});
    assert_eq!(
        bob.post("create_sampling_session", source.clone())
            .await
            .status,
        404
    );
    let new = json!({"session_id": bobs_session, "model_seq_id": 1, "path": path, "optimizer": true, "type": "load_weights"});
    assert_eq!(bob.post("load_weights", new).await.status, 404);
    let load = json!({"model_id": bobs_model, "path": path, "seq_id": 1, "optimizer": true, "type": "load_weights"});
    let load = bob.post("load_weights", load).await.promise();
    let failed = bob.fetch(&load).await.json();
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .contains("there is no checkpoint"),
        "{failed}"
    );
    // A misspelled name does not list the others of the run.
    let guess = bob
        .post("weights_info", json!({"tinker_path": format!("{path}x")}))
        .await;
    assert!(
        guess.status == 404 && !guess.detail().contains(&format!("{path},")),
        "{}",
        guess.detail()
    );
    assert!(
        guess
            .detail()
            .ends_with("the run has no checkpoints in this data folder")
    );

    // The same requests of the owner are accepted: each was refused for its key only.
    for (method, path, body) in &requests {
        let reply = alice
            .send(method.clone(), path, &json, body.to_string())
            .await;
        assert!(
            reply.status < 400,
            "{path}: {} {:?}",
            reply.status,
            reply.body
        );
    }
}

#[tokio::test]
async fn lists_show_a_tenant_its_own_and_a_published_checkpoint_can_be_read() {
    let engine = engine(None);
    let [alice, bob] = tenants(&engine);
    let (session, model) = alice.model().await;
    let path = save(&alice, &model, 1, "a").await;
    let everything = json!({"limit": 100, "owner": {"type": "accessible"}});
    let billing = "billing/usage/events?starting_on=2020-01-01&ending_before=2100-01-01";
    for (client, has) in [(&alice, true), (&bob, false)] {
        for list in [
            "sessions",
            "training_runs",
            "checkpoints",
            "audit",
            billing,
            "billing/usage/checkpoints/current",
        ] {
            let reply = client.get(list).await;
            assert_eq!(reply.status, 200, "{list}: {:?}", reply.body);
            let shown = reply.json().to_string();
            let is_shown = shown.contains(&session) || shown.contains("\"checkpoint_count\":1");
            assert_eq!(is_shown, has, "{list}: {shown}");
        }
        for search in ["sessions/search", "checkpoints/search"] {
            let reply = client.post(search, everything.clone()).await;
            assert_eq!(reply.status, 200, "{search}: {:?}", reply.body);
            assert_eq!(reply.json().to_string().contains(&session), has, "{search}");
        }
    }
    let copy = [("x-idempotency-key", "k"), ("idempotency-key", "k")];
    let body = json!({"source_path": path}).to_string();
    let hers = alice
        .send(Method::POST, "copy_weights", &copy, body.clone())
        .await;
    assert_eq!(hers.status, 200, "{:?}", hers.body);
    let his = bob
        .send(Method::POST, "copy_weights", &copy, body.clone())
        .await;
    assert_eq!(
        his.status, 404,
        "the same idempotency key is another request"
    );

    assert_eq!(
        alice
            .post(&below(&path, "/publish"), json!({}))
            .await
            .status,
        200
    );
    assert_eq!(
        bob.post("weights_info", json!({"tinker_path": path}))
            .await
            .status,
        200
    );
    let (bobs, _) = bob.model().await;
    bob.sampler(&bobs, 0, json!({"model_path": path})).await;
    let copied = bob
        .send(Method::POST, "copy_weights", &copy, body)
        .await
        .json();
    assert_ne!(copied, hers.json());
    let copied = copied["tinker_path"].as_str().unwrap();
    assert_eq!(
        alice
            .post("weights_info", json!({"tinker_path": copied}))
            .await
            .status,
        404
    );
    assert!(
        !bob.get("checkpoints")
            .await
            .json()
            .to_string()
            .contains(&path)
    );
    for (method, what) in [(Method::DELETE, ""), (Method::DELETE, "/publish")] {
        let reply = bob.send(method, &below(&path, what), &[], "").await;
        assert_eq!(
            reply.status, 404,
            "only its owner changes a public checkpoint"
        );
    }
}

#[tokio::test]
async fn owners_are_kept_on_disk_without_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let open = Client::of(&builder().data_dir(folder.path()).build().unwrap());
    let (_, model) = open.model().await;
    let everyones = save(&open, &model, 1, "everyones").await;
    drop(open);
    let hers = {
        let engine = engine(Some(folder.path()));
        let [alice, _] = tenants(&engine);
        let (_, model) = alice.model().await;
        save(&alice, &model, 1, "hers").await
    };
    let mut pending = vec![folder.path().to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                let has_key = bytes.windows(9).any(|bytes| bytes == KEYS[0].as_bytes());
                assert!(!has_key, "{}", path.display());
            }
        }
    }
    let run = |path: &str| {
        path["tinker://".len()..]
            .split('/')
            .next()
            .unwrap()
            .to_owned()
    };
    // The run's record is lost: the checkpoint still has its owner.
    for lost in [false, true] {
        if lost {
            let record = format!("checkpoints/{}/run.json", run(&hers).replace(':', "_"));
            std::fs::remove_file(folder.path().join(record)).unwrap();
        }
        let engine = engine(Some(folder.path()));
        for (client, has) in tenants(&engine).iter().zip([true, false]) {
            let info = client
                .post("weights_info", json!({"tinker_path": hers}))
                .await;
            assert_eq!(info.status, if has { 200 } else { 404 });
            let runs = client.get("training_runs").await.json().to_string();
            assert_eq!(runs.contains(&run(&hers)), has, "{runs}");
            assert!(runs.contains(&run(&everyones)), "{runs}");
            let info = client
                .post("weights_info", json!({"tinker_path": everyones}))
                .await;
            assert_eq!(info.status, 200);
        }
    }
}
