//! Panics in the engine: the operation fails, and the server goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tinker_local::LocalEngine;
use tinker_types::{Datum, ForwardBackward, Loss};

use crate::hooked::Hooked;
use crate::support::{BASE, Client, sample_body, step_body};

/// The real engine, but it panics if a batch or a prompt contains this token.
const FATAL: u32 = 200;

fn client() -> Client {
    let mut fragile = Hooked::new();
    fragile.train = Box::new(|batch| {
        let is_fatal = batch.data.iter().any(|datum| datum.tokens.contains(&FATAL));
        assert!(!is_fatal, "on purpose");
    });
    let submitted = Arc::new(AtomicBool::new(false));
    let is_doomed = submitted.clone();
    fragile.submit = Box::new(move |job| {
        submitted.fetch_or(job.prompt.contains(&FATAL), Ordering::Relaxed);
    });
    fragile.advance =
        Box::new(move || assert!(!is_doomed.swap(false, Ordering::Relaxed), "on purpose"));
    Client::of(
        &LocalEngine::builder()
            .backend(Box::new(fragile))
            .build()
            .unwrap(),
    )
}

#[tokio::test]
async fn a_crash_in_training_fails_the_operation_and_the_model_and_nothing_else() {
    let client = client();
    let (_, model) = client.model().await;
    let (_, other) = client.model().await;
    let fatal = vec![Datum::supervised(&[1, FATAL], &[2])];
    let pass = ForwardBackward::new(model.as_str().into(), 1, fatal, Loss::cross_entropy());
    let crashed = client.pass(&pass).await.promise();
    let next = client
        .post("optim_step", step_body(&model, 2))
        .await
        .promise();
    let outcome = client.fetch(&crashed).await.json();
    assert!(
        outcome["category"] == "server" && outcome["error"].as_str().unwrap().contains("crashed"),
        "{outcome}"
    );
    let outcome = client.fetch(&next).await.json();
    assert!(
        outcome["category"] == "server"
            && outcome["error"]
                .as_str()
                .unwrap()
                .contains("load its last checkpoint"),
        "{outcome}"
    );
    client
        .output(&client.forward_backward(&other, 1).await)
        .await;
    let (_, third) = client.model().await;
    client.done(&client.step(&third, 1).await).await;
}

#[tokio::test]
async fn a_crash_in_sampling_fails_the_samples_and_nothing_else() {
    let client = client();
    let (session, model) = client.model().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let mut fatal = sample_body(&sampler, 0, 8);
    fatal["prompt"]["chunks"][0]["tokens"] = json!([1, FATAL]);
    let crashed = client.post("asample", fatal).await.promise();
    let outcome = client.fetch(&crashed).await.json();
    assert!(
        outcome["category"] == "server" && outcome["error"].as_str().unwrap().contains("crashed"),
        "{outcome}"
    );
    client
        .sampled(
            &client
                .post("asample", sample_body(&sampler, 1, 8))
                .await
                .promise(),
        )
        .await;
    client
        .output(&client.forward_backward(&model, 1).await)
        .await;
}
