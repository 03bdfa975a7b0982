//! Limits: full queues, large bodies, dropped results.

use std::time::Duration;

use serde_json::json;
use tinker_local::{Limits, LocalEngine};

use crate::support::{BASE, Client, limited, request, sample_body, step_body};

#[tokio::test]
async fn a_full_queue_is_429_and_the_awaited_operation_still_fits() {
    let client = limited(|limits| limits.queued_operations = 3);
    let (_, model) = client.model().await;
    let mut parked = Vec::new();
    for number in [2, 3, 4] {
        parked.push(client.forward_backward(&model, number).await);
    }
    let full = client.pass(&request(&model, 5)).await;
    assert_eq!(
        (full.status, &full.headers["retry-after"]),
        (429, &http::HeaderValue::from_static("1"))
    );
    assert!(
        full.detail().contains("3 training operations are queued"),
        "{}",
        full.detail()
    );
    parked.push(client.forward_backward(&model, 1).await);
    for promise in &parked {
        client.output(promise).await;
    }
    client
        .output(&client.forward_backward(&model, 5).await)
        .await;
}

#[tokio::test]
async fn samples_have_a_queue_of_their_own() {
    let client = limited(|limits| limits.queued_samples = 2);
    let (session, model) = client.model().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for number in 0..60 {
        let reply = client
            .post("asample", sample_body(&sampler, number, 60))
            .await;
        match reply.status {
            200 => accepted.push(reply.promise()),
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    client
        .output(&client.forward_backward(&model, 1).await)
        .await;
    for promise in accepted {
        client.sampled(&promise).await;
    }
}

#[tokio::test]
async fn a_large_body_is_413() {
    let client = limited(|limits| limits.body_bytes = 1000);
    let reply = client
        .post("create_session", json!({"sdk_version": "x".repeat(2000)}))
        .await;
    assert_eq!(reply.status, 413);
}

#[test]
fn polls_are_held_for_less_than_clients_wait() {
    // The official client gives a poll up after 45 s.
    assert!(Limits::default().long_poll <= Duration::from_secs(30));
}

#[tokio::test]
async fn a_result_is_kept_for_a_while_and_then_gone() {
    let client = limited(|limits| limits.kept_after_fetch = Duration::from_millis(200));
    let (_, model) = client.model().await;
    let promise = client.forward_backward(&model, 1).await;
    let first = client.output(&promise).await;
    assert_eq!(
        client.output(&promise).await,
        first,
        "an answer may get lost"
    );
    tokio::time::sleep(Duration::from_millis(250)).await;
    // Expired results are dropped when another operation finishes.
    client.done(&client.step(&model, 2).await).await;
    let gone = client.fetch(&promise).await;
    assert!(
        gone.status == 410 && gone.detail().contains("no longer kept"),
        "{}",
        gone.detail()
    );
    assert_eq!(
        client.forward_backward(&model, 1).await,
        promise,
        "and a repeat is still that promise"
    );
}

#[tokio::test]
async fn models_and_samplers_are_bounded() {
    let client = limited(|limits| {
        limits.models = 1;
        limits.samplers = 2;
    });
    let (session, _) = client.model().await;
    let second = json!({"session_id": session, "model_seq_id": 1, "base_model": BASE, "lora_config": {"rank": 4}});
    let refused = client.post("create_model", second).await;
    assert!(
        refused.status == 422 && refused.detail().contains("finish a session"),
        "{}",
        refused.detail()
    );
    let mut samplers = Vec::new();
    for number in 0..3 {
        samplers.push(
            client
                .sampler(&session, number, json!({"base_model": BASE}))
                .await,
        );
    }
    let forgotten = client
        .post("asample", sample_body(&samplers[0], 0, 4))
        .await;
    assert!(
        forgotten.status == 410 && forgotten.detail().contains("make room"),
        "{}",
        forgotten.detail()
    );
    client
        .sampled(
            &client
                .post("asample", sample_body(&samplers[2], 0, 4))
                .await
                .promise(),
        )
        .await;
}

#[tokio::test]
async fn an_ended_session_makes_room_for_another() {
    let client = limited(|limits| limits.models = 1);
    for _ in 0..3 {
        let (session, model) = client.model().await;
        client
            .done(
                &client
                    .post("optim_step", step_body(&model, 1))
                    .await
                    .promise(),
            )
            .await;
        client
            .post(
                &format!("sessions/{session}/finish"),
                json!({"reason": {"type": "success"}}),
            )
            .await;
    }
}

#[tokio::test]
async fn sequences_wait_for_memory_and_those_that_never_fit_are_refused() {
    let mut limits = Limits::default();
    // 32 tokens of the built-in model.
    limits.cache_bytes = Some(64 << 10);
    let engine = LocalEngine::builder().limits(limits).build().unwrap();
    let client = Client::of(&engine);
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": "tinker-local/tiny"}))
        .await;
    let refused = client
        .post("asample", sample_body(&sampler, 0, 31))
        .await
        .promise();
    let refused = client.fetch(&refused).await.json();
    assert_eq!(refused["category"], "user", "{refused}");
    let error = refused["error"].as_str().unwrap();
    assert!(
        error.contains("2 tokens and 31 new ones") && error.contains("cache_bytes"),
        "{error}"
    );
    let mut promises = Vec::new();
    for number in 1..20 {
        let body = sample_body(&sampler, number, 30);
        promises.push(client.post("asample", body).await.promise());
    }
    let first = client.sampled(&promises[0]).await;
    assert!(!first.sequences[0].tokens.is_empty());
    for promise in &promises[1..] {
        assert_eq!(client.sampled(promise).await.sequences, first.sequences);
    }
}
