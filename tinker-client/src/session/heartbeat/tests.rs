use serde_json::json;
use tokio::time::sleep;

use super::*;
use crate::fixture::{FakeServer, Reply};
use crate::{AdamParams, LoraConfig, ModelInput, SamplingParams};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_whatever_else_is_under_way() {
    let server = FakeServer::new();
    server.on("asample", |_| Some(Reply::never()));
    let sampling = server.sampling().await;
    let prompt = ModelInput::from_tokens([1]);
    let stuck: Vec<_> = (0..1000)
        .map(|_| sampling.sample(prompt.clone(), SamplingParams::default()))
        .collect();
    sleep(seconds(55)).await;
    assert_eq!(
        server.seconds("session_heartbeat"),
        [0.0, 10.0, 20.0, 30.0, 40.0]
    );
    let body = server.seen_at("session_heartbeat")[0].json();
    assert_eq!(
        body,
        json!({"session_id": "s", "type": "session_heartbeat"})
    );
    drop(stuck);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_fails_is_repeated_and_one_that_is_refused_with_410_ends_the_session() {
    let server = FakeServer::new();
    server.then(
        "session_heartbeat",
        vec![
            Reply::status(500, json!({})),
            Reply::never(),
            Reply::status(410, json!({"detail": "finished"})),
        ],
    );
    let client = server.training().await;
    sleep(seconds(300)).await;
    // 10 s after each end: the second was given up after its 10 s.
    assert_eq!(server.seconds("session_heartbeat"), [0.0, 10.0, 30.0]);
    let error = client.optim_step(AdamParams::new(0.1)).await.unwrap_err();
    assert!(matches!(&error, Error::SessionLost(lost) if lost.cause() == LostCause::Ended));
    assert!(!error.is_user_error() && error.to_string().contains("server has ended"));
    assert!(server.seen_at("optim_step").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_the_server_no_longer_knows_is_lost_and_replaced() {
    let server = FakeServer::new();
    let unknown = || Reply::status(404, json!({"detail": "session s is not known"}));
    let known = || Reply::json(json!({}));
    let replies = vec![known(), unknown(), known(), unknown(), unknown()];
    server.then("session_heartbeat", replies);
    let service = server.service();
    let sampling = service.create_sampling_client("base").await.unwrap();
    sleep(seconds(45)).await;
    assert!(
        service.session_id().is_some(),
        "one 404 may come from a proxy"
    );
    sleep(seconds(10)).await;
    assert!(service.session_id().is_none());
    server.on("create_session", |_| {
        Some(Reply::json(json!({"session_id": "t"})))
    });
    let prompt = ModelInput::from_tokens([1]);
    let params = SamplingParams::default();
    sampling
        .sample(prompt.clone(), params.clone())
        .await
        .unwrap();
    sampling.sample(prompt, params).await.unwrap();
    assert_eq!(service.session_id().unwrap().as_str(), "t");
    assert_eq!(server.seen_at("create_sampling_session").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_heartbeats_loses_no_session() {
    let server = FakeServer::new();
    server.always("session_heartbeat", 404, json!({"detail": "Not Found"}));
    let client = server.training().await;
    server.always("optim_step", 404, json!({"detail": "no model"}));
    sleep(seconds(60)).await;
    let error = client.optim_step(AdamParams::new(0.1)).await.unwrap_err();
    assert!(matches!(error, Error::Status(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn background_tasks_end_with_the_last_client() {
    let server = FakeServer::new();
    let service = server.service();
    let training = service
        .create_lora_training_client("base", LoraConfig::new(4))
        .await
        .unwrap();
    let again = training.clone();
    drop((service, training));
    sleep(seconds(25)).await;
    assert_eq!(
        server.seen_at("session_heartbeat").len(),
        2,
        "a clone keeps it going"
    );
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert_eq!(tasks, 3, "heartbeat, flags, cancels");
    drop(again);
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert_eq!(
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks(),
        0
    );
    sleep(seconds(3600)).await;
    assert_eq!(server.seen_at("session_heartbeat").len(), 2);
    // Only asked whether the route exists, before the model is unloaded.
    let finish = server.seen_at("sessions/s/finish");
    assert!(finish.iter().all(|seen| seen.method == "GET"));
}

#[tokio::test(start_paused = true)]
async fn flags_are_refreshed() {
    let server = FakeServer::new();
    let answer = |interval: u64| Reply::json(json!({"refresh_interval_sec": interval}));
    server.then(
        "client/dynamic_config",
        vec![
            answer(30),
            Reply::status(403, json!({})),
            answer(1),
            answer(600),
        ],
    );
    let _client = server.training().await;
    sleep(seconds(500)).await;
    assert_eq!(
        server.seconds("client/dynamic_config"),
        [0.0, 30.0, 60.0, 70.0]
    );
}

#[tokio::test(start_paused = true)]
async fn failing_heartbeats_are_a_warning_after_two_minutes() {
    let server = FakeServer::new();
    server.always("session_heartbeat", 500, json!({}));
    let (lines, guard) = crate::fixture::traced();
    let _client = server.training().await;
    sleep(seconds(121)).await;
    assert!(
        !lines.text().contains("heartbeats fail"),
        "{}",
        lines.text()
    );
    sleep(seconds(30)).await;
    drop(guard);
    let text = lines.text();
    let warnings = text.lines().filter(|line| line.contains("heartbeats fail"));
    assert_eq!(warnings.count(), 3, "one for each further failure: {text}");
}

#[tokio::test(start_paused = true)]
async fn requests_of_the_background_have_short_limits() {
    let server = FakeServer::new();
    let cancels = json!({"sample_cancel_enabled": true});
    server.then(
        "client/dynamic_config",
        vec![Reply::never(), Reply::json(cancels)],
    );
    server.then("cancel_future", vec![Reply::never()]);
    let sampling = server.sampling().await;
    assert_eq!(server.seconds("client/dynamic_config"), [0.0, 11.0]);
    server.on("retrieve_future", |_| Some(Reply::never()));
    let sample = sampling.sample(ModelInput::from_tokens([1]), SamplingParams::default());
    sleep(seconds(1)).await;
    drop(sample);
    sleep(seconds(60)).await;
    assert_eq!(server.seconds("cancel_future"), [0.0, 31.0]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_keeps_the_session_of_its_sampler_alive_while_it_is_used() {
    let server = FakeServer::new();
    let handle = server.sampling().await.handle().await.unwrap();
    sleep(seconds(60)).await;
    assert!(server.seen_at("session_heartbeat").is_empty());
    let elsewhere = server.service();
    let copies =
        [handle.clone(), handle].map(|handle| elsewhere.sampling_client_from_handle(handle));
    for copy in &copies {
        let prompt = ModelInput::from_tokens([1]);
        let sample = copy
            .as_ref()
            .unwrap()
            .sample(prompt, SamplingParams::default());
        sample.await.unwrap();
    }
    sleep(seconds(35)).await;
    let beats = server.seen_at("session_heartbeat");
    assert_eq!(beats.len(), 6, "three of each");
    assert_eq!(beats[0].json()["session_id"], "s");
    drop(copies);
    sleep(seconds(60)).await;
    assert_eq!(server.seen_at("session_heartbeat").len(), 6);
    assert_eq!(server.seen_at("create_session").len(), 1);
}
