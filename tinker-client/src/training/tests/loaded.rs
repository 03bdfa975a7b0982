//! Models that stay loaded on a server, and their release.

use std::time::Duration;

use serde_json::json;

use super::dialect::{service, training};
use crate::fixture::{FakeServer, Reply};
use crate::{Dialect, FinishReason, LoraConfig};

#[tokio::test(start_paused = true)]
async fn models_are_unloaded_where_the_server_does_not_end_sessions() {
    let server = FakeServer::new();
    server.always("sessions/s/finish", 404, json!({"detail": "Not Found"}));
    let service = service(&server, Dialect::default());
    let make = || service.create_lora_training_client("base", LoraConfig::new(4));
    let unloaded = || -> Vec<String> {
        let seen = server.seen_at("unload_model");
        seen.iter()
            .map(|seen| seen.json()["model_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (first, second) = (make().await.unwrap(), make().await.unwrap());
    let sampler = first.save_weights_and_get_sampling_client().await.unwrap();
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(unloaded().is_empty(), "a sampler is left");
    drop(sampler);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(unloaded(), ["s:train:0"]);
    service.close(FinishReason::Success).await.unwrap();
    assert_eq!(unloaded(), ["s:train:0", "s:train:1"]);
    drop(second);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(unloaded().len(), 2, "once each");

    let server = FakeServer::new();
    server.on("sessions/s/finish", |seen| {
        (seen.method == http::Method::GET).then(|| Reply::status(405, json!({})))
    });
    drop(training(&server, Dialect::default()).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(
        server.seen_at("unload_model").is_empty(),
        "the session ends"
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_with_a_named_sampler_checkpoint_stays_loaded() {
    let server = FakeServer::new();
    server.always("sessions/s/finish", 404, json!({"detail": "Not Found"}));
    let full = "Maximum number of LoRA adapters (2) reached";
    server.on("retrieve_future", move |seen| {
        let is_third = seen.json()["request_id"] == "model-2";
        is_third.then(|| Reply::status(400, json!({"detail": full})))
    });
    let service = service(&server, Dialect::default());
    let make = || service.create_lora_training_client("base", LoraConfig::new(4));
    let (first, second) = (make().await.unwrap(), make().await.unwrap());
    first.save_weights_for_sampler("a").await.unwrap();
    second.save_state("a").await.unwrap();
    drop(first);
    let error = make().await.unwrap_err().to_string();
    let holders = "s:train:0 (kept for its sampler checkpoints), s:train:1 (in use)";
    for words in [full, holders, "`tinker unload RUN`"] {
        assert!(error.contains(words), "{error}");
    }
    service.close(FinishReason::Success).await.unwrap();
    let unloaded = |server: &FakeServer| {
        let seen = server.seen_at("unload_model").into_iter();
        let models = seen.map(|seen| seen.json()["model_id"].as_str().unwrap().to_owned());
        models.collect::<Vec<_>>()
    };
    assert_eq!(unloaded(&server), ["s:train:1"]);
    assert_eq!(service.loaded_models(), ["s:train:0".into()]);
    service.unload_model("s:train:0").await.unwrap();
    assert_eq!(unloaded(&server), ["s:train:1", "s:train:0"]);
    assert!(service.loaded_models().is_empty());
}
