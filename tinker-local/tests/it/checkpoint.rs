//! Changes to saved checkpoints.

use std::time::Duration;

use serde_json::{Value, json};
use tinker_types::{Checkpoints, ExternalWeightsUrls};

use crate::support::{BASE, Client, builder, client, save_body};

/// A client with a model that has a checkpoint `a`, and the path of the checkpoint.
async fn saved() -> (Client, String, String) {
    let client = client();
    let (_, model) = client.model().await;
    client.forward_backward(&model, 1).await;
    client.step(&model, 2).await;
    let promise = client.post("save_weights", save_body(&model, 3, "a")).await;
    client.done(&promise.promise()).await;
    let place = format!("training_runs/{model}/checkpoints/weights/a");
    (client, model, place)
}

async fn list(client: &Client) -> Checkpoints {
    let reply = client.get("checkpoints?limit=100&offset=0").await;
    serde_json::from_slice(&reply.body).unwrap()
}

#[tokio::test]
async fn a_deleted_checkpoint_is_gone() {
    let (client, model, place) = saved().await;
    assert_eq!(client.delete(&place).await.status, 200);
    let again = client.delete(&place).await;
    assert!(again.status == 404 && again.detail().contains("there is no checkpoint"));
    assert!(list(&client).await.checkpoints.is_empty());
    let body = json!({"tinker_path": format!("tinker://{model}/weights/a")});
    assert_eq!(client.post("weights_info", body).await.status, 404);
    // The name is free again.
    let promise = client.post("save_weights", save_body(&model, 4, "a")).await;
    client.done(&promise.promise()).await;
    assert_eq!(list(&client).await.checkpoints.len(), 1);
    for (bad, status) in [("nothing/a", 400), ("weights/..", 400), ("weights/b", 404)] {
        let path = format!("training_runs/{model}/checkpoints/{bad}");
        assert_eq!(client.delete(&path).await.status, status, "{bad}");
    }
    let path = format!("training_runs/{model}/checkpoints/nothing/a");
    let detail = client.delete(&path).await.detail();
    assert!(detail.contains("unknown kind"), "{detail}");
}

#[tokio::test]
async fn a_checkpoint_is_published_and_unpublished_once() {
    let (client, _, place) = saved().await;
    let publish = format!("{place}/publish");
    let post = || client.post(&publish, json!(null));
    assert_eq!(post().await.status, 200);
    assert!(list(&client).await.checkpoints[0].public);
    let again = post().await;
    assert_eq!(
        (
            again.status,
            again.headers["x-should-retry"].to_str().unwrap()
        ),
        (409, "false")
    );
    assert!(again.detail().contains("already public"));
    assert_eq!(client.delete(&publish).await.status, 200);
    assert!(!list(&client).await.checkpoints[0].public);
    assert_eq!(client.delete(&publish).await.status, 409);
}

#[tokio::test]
async fn the_mark_of_a_published_checkpoint_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Client::of(&builder().data_dir(folder.path()).build().unwrap());
    let client = start();
    let (_, model) = client.model().await;
    let promise = client.post("save_weights", save_body(&model, 1, "a")).await;
    client.done(&promise.promise()).await;
    let place = format!("training_runs/{model}/checkpoints/weights/a");
    assert_eq!(
        client
            .post(&format!("{place}/publish"), json!(null))
            .await
            .status,
        200
    );
    drop(client);
    let client = start();
    assert!(list(&client).await.checkpoints[0].public);
    let session = client.session().await;
    let load = json!({"session_id": session, "model_seq_id": 0, "path": format!("tinker://{model}/weights/a"), "optimizer": true});
    client
        .done(&client.post("load_weights", load).await.promise())
        .await;
}

#[tokio::test]
async fn a_lifetime_is_set_and_taken_away() {
    let (client, _, place) = saved().await;
    let ttl = format!("{place}/ttl");
    assert_eq!(
        client.put(&ttl, json!({"ttl_seconds": 3600})).await.status,
        200
    );
    assert!(list(&client).await.checkpoints[0].expires_at.is_some());
    assert_eq!(
        client.put(&ttl, json!({"ttl_seconds": null})).await.status,
        200
    );
    assert!(list(&client).await.checkpoints[0].expires_at.is_none());
    let refused = client.put(&ttl, json!({"ttl_seconds": 0})).await;
    assert!(refused.status == 422 && refused.detail().contains("ttl_seconds: is 0"));
}

#[tokio::test]
async fn a_checkpoint_goes_by_itself_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::of(&builder().data_dir(folder.path()).build().unwrap());
    let (_, model) = client.model().await;
    let promise = client.post("save_weights", save_body(&model, 1, "a")).await;
    client.done(&promise.promise()).await;
    let place = format!("training_runs/{model}/checkpoints/weights/a");
    let set = client
        .put(&format!("{place}/ttl"), json!({"ttl_seconds": 1}))
        .await;
    assert_eq!(set.status, 200);
    let run = folder
        .path()
        .join("checkpoints")
        .join(model.replace(':', "_"));
    assert!(run.join("weights/a/checkpoint.json").exists());
    // No requests arrive meanwhile.
    for _ in 0..100 {
        if !run.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!run.exists(), "with all that belonged to it");
    assert!(list(&client).await.checkpoints.is_empty());
    let today = client.get("audit?event_type=checkpoints").await.json();
    let last = today["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["event"], &last["purpose"]),
        (&json!("checkpoint_deleted"), &json!("expired"))
    );
}

#[tokio::test]
async fn a_lifetime_outlasts_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Client::of(&builder().data_dir(folder.path()).build().unwrap());
    {
        let client = start();
        let (_, model) = client.model().await;
        for (number, name) in [(1, "stays"), (2, "goes")] {
            let promise = client
                .post("save_weights", save_body(&model, number, name))
                .await;
            client.done(&promise.promise()).await;
        }
        let place = format!("training_runs/{model}/checkpoints/weights/goes/ttl");
        assert_eq!(
            client.put(&place, json!({"ttl_seconds": 1})).await.status,
            200
        );
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let left = list(&start()).await.checkpoints;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].checkpoint_id, "weights/stays");
}

#[tokio::test]
async fn a_copy_is_a_run_of_its_own_and_is_made_once() {
    let (client, model, _) = saved().await;
    let source = format!("tinker://{model}/weights/a");
    let body = json!({"destination_project_id": "sea", "source_path": source, "ttl_seconds": 3600});
    let headers = [("x-idempotency-key", "one")];
    let post = || {
        client.send(
            http::Method::POST,
            "copy_weights",
            &headers,
            body.to_string(),
        )
    };
    let (first, again) = tokio::join!(post(), post());
    assert_eq!(first.status, 200, "{:?}", first.body);
    assert_eq!(first.json(), again.json());
    let path = first.json()["tinker_path"].as_str().unwrap().to_owned();
    assert!(path.ends_with(":train:0/weights/a") && path != source);
    let all = list(&client).await.checkpoints;
    assert_eq!(all.len(), 2);
    assert!(all[0].expires_at.is_some() && all[1].expires_at.is_none());
    let runs = client.get("training_runs?project_id=sea").await.json();
    assert_eq!(runs["cursor"]["total_count"], 1);
    // It is the same, including the optimizer state.
    let session = client.session().await;
    let mut probes = Vec::new();
    for (number, from) in [(0, &source), (1, &path)] {
        let load =
            json!({"session_id": session, "model_seq_id": number, "path": from, "optimizer": true});
        client
            .done(&client.post("load_weights", load).await.promise())
            .await;
        let model = format!("{session}:train:{number}");
        client.forward_backward(&model, 1).await;
        client.step(&model, 2).await;
        probes.push(client.probe(&model, 3).await);
    }
    assert_eq!(probes[0], probes[1]);
    let missing = json!({"source_path": "tinker://x:train:0/weights/a"});
    assert_eq!(client.post("copy_weights", missing).await.status, 404);
}

#[tokio::test]
async fn weights_are_saved_as_files_and_fetched_by_signed_links() {
    let (client, model, training) = saved().await;
    let mut body =
        json!({"model_id": model, "path": "out", "seq_id": 4, "type": "save_weights_external"});
    let saved = client
        .post("save_weights_external", body.clone())
        .await
        .promise();
    let saved = client.done(&saved).await;
    assert_eq!(
        saved["path"],
        format!("tinker://{model}/external_weights/out")
    );
    body["seq_id"] = 5.into();
    body["age_encryption_recipients"] = json!(["age1x"]);
    let refused = client.post("save_weights_external", body).await;
    assert!(
        refused.status == 422
            && refused
                .detail()
                .starts_with("age_encryption_recipients: is not offered here")
    );

    let place = format!("training_runs/{model}/checkpoints/external_weights/out");
    let links = client.get(&format!("{place}/external_weights_urls")).await;
    let links: ExternalWeightsUrls = serde_json::from_slice(&links.body).unwrap();
    let names: Vec<&str> = links.urls.keys().map(String::as_str).collect();
    assert_eq!(names, ["adapter_config.json", "adapter_model.safetensors"]);
    let config = &links.urls["adapter_config.json"];
    assert!(config.starts_with("http://local/files/"), "{config}");
    let config: Value = client.follow(config).await.json();
    assert_eq!(
        (&config["r"], &config["base_model_name_or_path"]),
        (&json!(4), &json!(BASE))
    );
    let weights = client
        .follow(&links.urls["adapter_model.safetensors"])
        .await;
    assert_eq!(weights.headers["content-type"], "application/octet-stream");
    let total: u64 = weights.body.len() as u64
        + client
            .follow(&links.urls["adapter_config.json"])
            .await
            .body
            .len() as u64;
    assert_eq!(saved["size_bytes"], total);
    assert!(
        safetensors::SafeTensors::deserialize(&weights.body)
            .unwrap()
            .len()
            > 3
    );

    // A link is valid only for its file and its lifetime.
    let link = &links.urls["adapter_config.json"];
    for bad in [
        link.replace("adapter_config", "adapter_model"),
        link.replace("expires=", "expires=9"),
        link.split('?').next().unwrap().to_owned(),
        link[..link.len() - 1].to_owned(),
    ] {
        let refused = client.follow(&bad).await;
        assert!(
            refused.status == 403 && refused.detail().contains("ask for a new one"),
            "{bad}"
        );
    }
    let wrong = client
        .get(&format!("{training}/external_weights_urls"))
        .await;
    assert!(wrong.status == 400 && wrong.detail().contains("save_weights_external"));
    // Training cannot continue from exported files.
    let session = client.session().await;
    let load = json!({"session_id": session, "model_seq_id": 9, "path": saved["path"], "optimizer": false});
    assert_eq!(client.post("load_weights", load).await.status, 422);
    let info = client
        .post("weights_info", json!({"tinker_path": saved["path"]}))
        .await;
    assert_eq!(info.json()["lora_rank"], 4);
}

#[tokio::test]
async fn an_expired_checkpoint_is_told_from_one_that_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let engine = builder().data_dir(folder.path()).build().unwrap();
    let client = Client::of(&engine);
    let (session, model) = client.model().await;
    let mut brief = save_body(&model, 1, "brief");
    brief["ttl_seconds"] = 1.into();
    for body in [brief, save_body(&model, 2, "kept")] {
        let promise = client.post("save_weights", body).await.promise();
        client.done(&promise).await;
    }
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let path = format!("tinker://{model}/weights/brief");
    let expired = |detail: String| {
        let is_named = detail.contains(&path) && detail.contains(" expired at 2");
        assert!(is_named && !detail.contains("there is no"), "{detail}");
    };
    let info = json!({ "tinker_path": path });
    let reply = client.post("weights_info", info.clone()).await;
    assert_eq!(reply.status, 404);
    expired(reply.detail());
    let load = json!({"session_id": session, "model_seq_id": 7, "path": path, "optimizer": true});
    expired(client.post("load_weights", load).await.detail());
    let opened = tinker_local::SavedAdapter::open(folder.path(), &path.parse().unwrap());
    expired(opened.unwrap_err().to_string());

    let other = json!({"tinker_path": format!("tinker://{model}/weights/other")});
    let detail = client.post("weights_info", other).await.detail();
    let kept = format!("the run has tinker://{model}/weights/kept");
    assert!(
        detail.contains("there is no checkpoint") && detail.contains(&kept),
        "{detail}"
    );

    drop((client, engine));
    let again = Client::of(&builder().data_dir(folder.path()).build().unwrap());
    expired(again.post("weights_info", info).await.detail());
}
