//! Restarts of an engine on the same data folder.

use serde_json::json;
use tinker_local::{BuildError, StoreError};

use crate::support::{Client, builder, save_body};

#[tokio::test]
async fn training_goes_on_after_a_restart_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    let (path, straight, old_pass) = {
        let client = Client::of(&builder().data_dir(folder.path()).build().unwrap());
        let (_, model) = client.model().await;
        client.forward_backward(&model, 1).await;
        client.step(&model, 2).await;
        let saved = client
            .post("save_weights", save_body(&model, 3, "half"))
            .await
            .promise();
        // Training goes on at once; the checkpoint has the weights from before.
        let pass = client.forward_backward(&model, 4).await;
        client.step(&model, 5).await;
        let straight = client.probe(&model, 6).await;
        (
            client.done(&saved).await["path"]
                .as_str()
                .unwrap()
                .to_owned(),
            straight,
            pass,
        )
    };
    let client = Client::of(&builder().data_dir(folder.path()).build().unwrap());
    let gone = client
        .post("retrieve_future", json!({"request_id": old_pass}))
        .await;
    assert!(
        gone.status == 404
            && gone.detail().contains("restarted")
            && gone.detail().contains("checkpoints"),
        "{}",
        gone.detail()
    );

    let session = client.session().await;
    assert!(!path.contains(&session), "run ids are new");
    let body = json!({"session_id": session, "model_seq_id": 0, "path": path, "optimizer": true, "type": "load_weights"});
    let submitted = client.post("load_weights", body).await;
    let loaded = client.done(&submitted.promise()).await;
    let model = format!("{session}:train:0");
    assert_eq!(
        (&loaded["model_id"], &loaded["path"]),
        (&json!(model), &json!(path))
    );
    let info = client
        .post("get_info", json!({"model_id": model, "type": "get_info"}))
        .await
        .json();
    assert_eq!(info["lora_rank"], 4);
    client.forward_backward(&model, 1).await;
    client.step(&model, 2).await;
    assert_eq!(
        client.probe(&model, 3).await,
        straight,
        "bit for bit, optimizer state included"
    );
}

#[tokio::test]
async fn older_clients_load_into_a_model_they_made() {
    let client = crate::support::client();
    let (session, model) = client.model().await;
    client.forward_backward(&model, 1).await;
    client.step(&model, 2).await;
    // The load is queued behind the save, before the save has finished.
    let saved = client
        .post("save_weights", save_body(&model, 3, "a"))
        .await
        .promise();
    client.forward_backward(&model, 4).await;
    client.step(&model, 5).await;
    let path = format!("tinker://{model}/weights/a");
    let load = json!({"model_id": model, "seq_id": 6, "path": path, "optimizer": true, "type": "load_weights"});
    let loaded = client.post("load_weights", load).await.promise();
    client.forward_backward(&model, 7).await;
    client.step(&model, 8).await;
    client.done(&saved).await;
    client.done(&loaded).await;
    let again = client.probe(&model, 9).await;

    let other = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": true});
    client
        .done(&client.post("load_weights", other).await.promise())
        .await;
    let other = format!("{session}:train:1");
    client.forward_backward(&other, 1).await;
    client.step(&other, 2).await;
    assert_eq!(client.probe(&other, 3).await, again);

    let missing = json!({"model_id": model, "seq_id": 10, "path": "tinker://x/weights/y", "optimizer": false});
    let failed = client
        .fetch(&client.post("load_weights", missing).await.promise())
        .await
        .json();
    assert_eq!(failed["category"], "user");
    assert_eq!(
        client.probe(&model, 11).await,
        again,
        "a failed load changes nothing"
    );
}

#[tokio::test]
async fn a_taken_name_fails_the_promise_as_the_users_error() {
    let client = crate::support::client();
    let (_, model) = client.model().await;
    client
        .done(
            &client
                .post("save_weights", save_body(&model, 1, "a"))
                .await
                .promise(),
        )
        .await;
    let taken = client.post("save_weights", save_body(&model, 2, "a")).await;
    assert_eq!(taken.status, 200, "a 409 would be tried again for minutes");
    let failed = client.fetch(&taken.promise()).await.json();
    assert!(
        failed["category"] == "user" && failed["error"].as_str().unwrap().contains("overwrite"),
        "{failed}"
    );
    let mut replace = save_body(&model, 3, "a");
    replace["overwrite"] = true.into();
    client
        .done(&client.post("save_weights", replace).await.promise())
        .await;
}

#[tokio::test]
async fn checkpoints_are_listed() {
    let client = crate::support::client();
    let (_, model) = client.model().await;
    assert_eq!(
        client
            .get(&format!("training_runs/{model}/checkpoints"))
            .await
            .json()["checkpoints"],
        json!([])
    );
    let mut body = save_body(&model, 1, "a");
    body["user_metadata"] = json!({"score": "0.9"});
    body["ttl_seconds"] = 3600.into();
    client
        .done(&client.post("save_weights", body).await.promise())
        .await;
    let sampler = json!({"model_id": model, "path": "a", "kind": "snapshot", "seq_id": 2});
    client
        .done(
            &client
                .post("save_weights_for_sampler", sampler)
                .await
                .promise(),
        )
        .await;
    let quoted = model.replace(':', "%3A");
    let list = client
        .get(&format!("training_runs/{quoted}/checkpoints"))
        .await
        .json();
    let kinds: Vec<&str> = list["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["checkpoint_type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["sampler", "training"], "newest first");
    let training = &list["checkpoints"][1];
    assert_eq!(
        (
            &training["checkpoint_id"],
            &training["user_metadata"]["score"]
        ),
        (&json!("weights/a"), &json!("0.9"))
    );
    assert!(training["size_bytes"].as_u64().unwrap() > 1000 && training["expires_at"].is_string());
    let page = client.get("checkpoints?limit=1&offset=1").await.json();
    assert_eq!(
        (
            page["checkpoints"].as_array().unwrap().len(),
            &page["cursor"]["total_count"]
        ),
        (1, &json!(2))
    );
    assert_eq!(client.get("checkpoints?limit=x").await.status, 422);
    assert_eq!(
        client.get("training_runs/nothing/checkpoints").await.status,
        404
    );
    let info = client
        .post(
            "weights_info",
            json!({"tinker_path": training["tinker_path"]}),
        )
        .await
        .json();
    assert_eq!(
        (&info["lora_rank"], &info["train_mlp"]),
        (&json!(4), &json!(true))
    );
}

#[test]
fn a_folder_in_use_is_named_with_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let engine = builder().data_dir(folder.path()).build().unwrap();
    let refused = builder().data_dir(folder.path()).build().unwrap_err();
    assert!(matches!(
        refused,
        BuildError::DataFolder(StoreError::InUse { .. })
    ));
    drop(engine);
    builder().data_dir(folder.path()).build().unwrap();
}

/// A kill while a run's last checkpoint was being removed leaves its folders, with or without the files about the run.
#[test]
fn empty_folders_of_a_run_are_removed() {
    let data = tempfile::tempdir().unwrap();
    let checkpoints = data.path().join("checkpoints");
    let runs = ["s-1_train_0", "s-1_train_1", "s-1_train_2"].map(|run| checkpoints.join(run));
    let [empty, about, kind] = &runs;
    std::fs::create_dir_all(empty).unwrap();
    std::fs::create_dir_all(about).unwrap();
    std::fs::write(about.join("expired.json"), "{}").unwrap();
    std::fs::create_dir_all(kind.join("weights")).unwrap();
    drop(builder().data_dir(data.path()).build().unwrap());
    assert_eq!(std::fs::read_dir(&checkpoints).unwrap().count(), 0);
}

#[test]
fn a_temporary_folder_goes_with_the_last_handle() {
    let engine = builder().build().unwrap();
    let (service, root) = (engine.service(), engine.data_dir().to_owned());
    drop(engine);
    assert!(root.exists(), "a service is a handle too");
    drop(service);
    assert!(!root.exists());
}

#[tokio::test]
async fn a_damaged_checkpoint_is_refused_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::of(&builder().data_dir(folder.path()).build().unwrap());
    let (session, model) = client.model().await;
    client
        .done(
            &client
                .post("save_weights", save_body(&model, 1, "a"))
                .await
                .promise(),
        )
        .await;
    let before = client.probe(&model, 2).await;
    let run = model.replace(':', "_");
    let file = folder
        .path()
        .join("checkpoints")
        .join(run)
        .join("weights/a/adapter_model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 10]).unwrap();
    let path = format!("tinker://{model}/weights/a");
    let load = json!({"session_id": session, "model_seq_id": 7, "path": path, "optimizer": true});
    let failed = client
        .fetch(&client.post("load_weights", load).await.promise())
        .await
        .json();
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .contains("adapter_model.safetensors"),
        "{failed}"
    );
    let after = client
        .forward_backward(&format!("{session}:train:7"), 1)
        .await;
    assert!(
        client.fetch(&after).await.json()["error"]
            .as_str()
            .unwrap()
            .contains("damaged"),
        "it says why"
    );
    let sampler = json!({"session_id": session, "sampling_session_seq_id": 0, "model_path": path});
    assert_eq!(
        client.post("create_sampling_session", sampler).await.status,
        422
    );
    assert_eq!(client.probe(&model, 3).await, before);
}
