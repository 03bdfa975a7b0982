//! Uploads of adapters.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tinker_types::{CheckpointPath, ExternalWeightsUrls, WeightsUpload};

use crate::support::{BASE, Client, client, request, sample_body, save_body};

/// The files of an external checkpoint of a trained model, with its log probabilities.
async fn exported() -> (Vec<(String, Bytes)>, Bytes) {
    let client = client();
    let (_, model) = client.model().await;
    client.pass(&request(&model, 1)).await.promise();
    client.step(&model, 2).await;
    let save = client.post("save_weights_external", external_body(&model, 3, "x"));
    client.done(&save.await.promise()).await;
    let place = format!("training_runs/{model}/checkpoints/external_weights/x");
    let reply = client.get(&format!("{place}/external_weights_urls")).await;
    let urls: ExternalWeightsUrls = serde_json::from_slice(&reply.body).unwrap();
    let mut files = Vec::new();
    for (name, url) in urls.urls {
        files.push((name, client.follow(&url).await.body));
    }
    (files, client.probe(&model, 4).await)
}

/// The request of an external checkpoint.
fn external_body(model: &str, number: u64, name: &str) -> Value {
    let mut body = save_body(model, number, name);
    body["type"] = "save_weights_external".into();
    body
}

async fn start(client: &Client, rank: u32) -> WeightsUpload {
    let body =
        json!({"base_model": BASE, "lora_config": {"rank": rank}, "destination_project_id": "p"});
    let reply = client.post("external_weights_upload_start", body).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    serde_json::from_slice(&reply.body).unwrap()
}

async fn put(client: &Client, url: &str, bytes: Bytes) -> u16 {
    let request = Request::builder().method(Method::PUT).uri(url);
    let request = request.body(Full::new(bytes)).unwrap();
    client.call(request).await.unwrap().status
}

async fn finish(client: &Client, upload: &WeightsUpload) -> (u16, Value) {
    let body = json!({ "upload_id": upload.upload_id });
    let reply = client.post("external_weights_upload_finish", body).await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn an_uploaded_adapter_can_be_trained_on_and_sampled_from() {
    let (files, probe) = exported().await;
    let client = client();
    let upload = start(&client, 4).await;
    let names: Vec<&String> = upload.urls.keys().collect();
    assert_eq!(
        names,
        files.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    for (name, bytes) in &files {
        let url = &upload.urls[name].url;
        assert_eq!(put(&client, url, bytes.clone()).await, 200);
    }
    let (status, uploaded) = finish(&client, &upload).await;
    assert_eq!(status, 200, "{uploaded}");
    assert_eq!(finish(&client, &upload).await.1, uploaded, "a repeat");
    let path = uploaded["tinker_path"].as_str().unwrap();
    let parsed: CheckpointPath = path.parse().unwrap();
    assert_eq!(parsed.kind().as_str(), "external_weights");

    let session = client.session().await;
    let load = json!({"session_id": session, "model_seq_id": 0, "path": path, "optimizer": false});
    let loaded = client.post("load_weights", load).await.promise();
    let model = client.done(&loaded).await["model_id"].clone();
    assert_eq!(client.probe(model.as_str().unwrap(), 1).await, probe);
    let sampler = client
        .sampler(&session, 0, json!({ "model_path": path }))
        .await;
    let drawn = client.post("asample", sample_body(&sampler, 0, 3)).await;
    assert_eq!(
        client.sampled(&drawn.promise()).await.sequences[0]
            .tokens
            .len(),
        3
    );
    let runs = client.get("training_runs?project_id=p").await.json();
    assert_eq!(
        runs["training_runs"][0]["training_run_id"],
        parsed.run().as_str()
    );
    let listed = client.get("checkpoints?limit=10&offset=0").await.json();
    assert_eq!(listed["checkpoints"][0]["base_model"], BASE);
}

#[tokio::test]
async fn files_that_hold_no_adapter_of_the_shape_are_refused() {
    let (files, _) = exported().await;
    let client = client();
    let missing = start(&client, 4).await;
    let (status, answer) = finish(&client, &missing).await;
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        status == 422 && detail.contains("adapter_config.json"),
        "{answer}"
    );

    let other_rank = start(&client, 8).await;
    let damaged = start(&client, 4).await;
    for (name, bytes) in &files {
        assert_eq!(
            put(&client, &other_rank.urls[name].url, bytes.clone()).await,
            200
        );
        let half = bytes.slice(..bytes.len() / 2);
        assert_eq!(put(&client, &damaged.urls[name].url, half).await, 200);
    }
    let (status, answer) = finish(&client, &other_rank).await;
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        status == 422 && detail.contains("the rank of the adapter is 4, not 8"),
        "{answer}"
    );
    assert_eq!(finish(&client, &damaged).await.0, 422);
    // The files can be sent again.
    for (name, bytes) in &files {
        assert_eq!(
            put(&client, &damaged.urls[name].url, bytes.clone()).await,
            200
        );
    }
    assert_eq!(finish(&client, &damaged).await.0, 200);
    let url = &damaged.urls["adapter_config.json"].url;
    assert_eq!(
        put(&client, url, Bytes::from_static(b"x")).await,
        422,
        "finished"
    );

    let url = &missing.urls["adapter_config.json"].url;
    let other_file = url.replace("adapter_config.json", "checkpoint.json");
    assert_eq!(
        put(&client, &other_file, Bytes::from_static(b"x")).await,
        403
    );
    let unsigned = url.split('?').next().unwrap();
    assert_eq!(put(&client, unsigned, Bytes::from_static(b"x")).await, 403);
    let unknown = json!({"upload_id": "../x"});
    let unknown = client.post("external_weights_upload_finish", unknown).await;
    assert_eq!(unknown.status, 404);
    let base = json!({"base_model": "none", "lora_config": {"rank": 4}});
    let base = client.post("external_weights_upload_start", base).await;
    assert_eq!(base.status, 422);
}

#[tokio::test]
async fn files_saved_for_use_elsewhere_are_not_loaded() {
    let client = client();
    let (session, model) = client.model().await;
    let save = client.post("save_weights_external", external_body(&model, 1, "x"));
    client.done(&save.await.promise()).await;
    let path = format!("tinker://{model}/external_weights/x");
    let load = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": false});
    let refused = client.post("load_weights", load).await;
    let detail = refused.detail();
    assert!(
        refused.status == 422 && detail.contains("for use elsewhere"),
        "{detail}"
    );
}
