use serde_json::json;
use tinker_types::{Datum, FinishReason, ModelId};
use tokio::time::sleep;

use super::*;
use crate::fixture::{FakeServer, Reply, Seen};
use crate::{AdamParams, Config, Loss, ModelInput, SamplingParams, ServiceClient};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A server that takes telemetry, and a client that sends it.
fn talkative() -> (FakeServer, ServiceClient) {
    let server = FakeServer::new();
    server.on("telemetry", |_| {
        Some(Reply::json(json!({"status": "accepted"})))
    });
    let config = Config::new("http://fake").with_api_key("tml-secret");
    let service = server.builder().config(config).build().unwrap();
    (server, service)
}

fn batches(server: &FakeServer) -> Vec<Vec<Value>> {
    let events = |seen: &Seen| seen.json()["events"].as_array().unwrap().clone();
    server.seen_at("telemetry").iter().map(events).collect()
}

/// Kind or name of each event.
fn names(server: &FakeServer) -> Vec<String> {
    let events = batches(server).into_iter().flatten();
    let name = |event: Value| {
        let name = event["event_name"].as_str().or(event["event"].as_str());
        name.unwrap_or_default().to_owned()
    };
    events.map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn events_wait_ten_seconds_for_others_and_an_error_does_not() {
    let (server, service) = talkative();
    let training = service.create_lora_training_client("base", crate::LoraConfig::new(4));
    let training = training.await.unwrap();
    sleep(Duration::from_millis(9_900)).await;
    assert!(batches(&server).is_empty());
    sleep(Duration::from_millis(200)).await;
    assert_eq!(names(&server), ["SESSION_START"]);
    sleep(seconds(60)).await;
    assert_eq!(
        batches(&server).len(),
        1,
        "nothing happened, nothing is sent"
    );

    server.on("optim_step", |_| {
        Some(Reply::status(422, json!({"detail": "no"})))
    });
    training.optim_step(AdamParams::new(0.1)).await.unwrap_err();
    sleep(Duration::from_millis(10)).await;
    let batch = batches(&server).pop().unwrap();
    assert_eq!(
        names(&server)[1..],
        [
            "InternalClientHolder.execute_with_retries.exception",
            "user_error",
            "SESSION_END"
        ]
    );
    assert_eq!(batch[1]["event_data"]["body"], json!({"detail": "no"}));
    assert_eq!(batch[1]["event_data"]["status_code"], 422);
    let indices: Vec<_> = batch
        .iter()
        .map(|event| event["event_session_index"].clone())
        .collect();
    assert_eq!(indices, [1, 2, 3]);
    let seen = &server.seen_at("telemetry")[0];
    assert_eq!(seen.json()["session_id"], "s");
    assert!(seen.header("x-sdk-method").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_session_says_so() {
    let (server, service) = talkative();
    server.always("training_runs/r", 403, json!({"detail": "no"}));
    let run = ModelId::from("r");
    service.runs().get(&run).await.unwrap_err();
    sleep(seconds(1)).await;
    let batch = &server.seen_at("telemetry")[0].json();
    assert!(
        batch["session_id"]
            .as_str()
            .unwrap()
            .starts_with("sessionless-")
    );
    assert_eq!(
        names(&server),
        [
            "InternalClientHolder.execute_with_retries.exception",
            "user_error"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn switched_off_there_is_nothing_of_it() {
    let server = FakeServer::new();
    let config = Config::new("http://fake").with_telemetry(false);
    let service = server.builder().config(config).build().unwrap();
    let sampling = service.create_sampling_client("base").await.unwrap();
    server.always("asample", 422, json!({}));
    let params = SamplingParams::default().with_max_tokens(1);
    sampling
        .sample(ModelInput::from_tokens([1]), params)
        .await
        .unwrap_err();
    sleep(seconds(60)).await;
    service.close(FinishReason::Success).await.unwrap();
    assert!(server.seen_at("telemetry").is_empty());
}

#[tokio::test(start_paused = true)]
async fn local_errors_are_nobodys_business() {
    let (server, service) = talkative();
    let training = service.create_lora_training_client("base", crate::LoraConfig::new(4));
    let training = training.await.unwrap();
    sleep(seconds(11)).await;
    let data = vec![Datum::supervised(&[1], &[2])];
    let failing = training.forward_backward_custom(data, |_, _| Err("my own words"));
    failing.await.unwrap_err();
    let refused = training.forward(Vec::new(), Loss::cross_entropy());
    refused.await.unwrap_err();
    sleep(seconds(11)).await;
    assert_eq!(names(&server), ["SESSION_START"]);
}

#[tokio::test(start_paused = true)]
async fn closing_sends_what_is_left_and_so_does_dropping_the_last_client() {
    let (server, service) = talkative();
    service.create_sampling_client("base").await.unwrap();
    service.close(FinishReason::Success).await.unwrap();
    assert_eq!(names(&server), ["SESSION_START"]);

    let (server, service) = talkative();
    service.create_sampling_client("base").await.unwrap();
    drop(service);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(names(&server), ["SESSION_START"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_it_or_one_that_hangs_costs_nothing_but_a_short_farewell() {
    for (reply, farewell) in [(404, 0), (500, 0), (0, 5)] {
        let (server, service) = talkative();
        server.on("telemetry", move |_| {
            Some(if reply == 0 {
                Reply::json(json!({})).after(seconds(3600))
            } else {
                Reply::status(reply, json!({}))
            })
        });
        server.always("training_runs/r", 404, json!({}));
        let began = Instant::now();
        service.create_sampling_client("base").await.unwrap();
        let run = ModelId::from("r");
        service.runs().get(&run).await.unwrap_err();
        assert_eq!(
            began.elapsed(),
            Duration::ZERO,
            "no error waits for its report"
        );
        service.close(FinishReason::Success).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), farewell);
        let tries = server.seen_at("telemetry").len();
        assert!((1..=2).contains(&tries), "{tries} tries");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_travels_a_hundred_at_a_time_and_what_is_too_much_is_dropped() {
    let (server, service) = talkative();
    service.create_sampling_client("base").await.unwrap();
    sleep(seconds(11)).await;
    let telemetry = service.state().events().telemetry().unwrap().clone();
    for n in 0..LIMIT + 50 {
        telemetry.note(Severity::Debug, "flood", [("n", json!(n))]);
    }
    telemetry.flush().await;
    let sizes: Vec<_> = batches(&server)[1..].iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), LIMIT);
    assert!(sizes.iter().all(|size| *size == BATCH));
    // The count has no gap where events were dropped.
    telemetry.note(Severity::Debug, "after", []);
    telemetry.flush().await;
    let last = batches(&server).pop().unwrap().pop().unwrap();
    assert_eq!(last["event_session_index"], LIMIT as u64 + 1);
}

#[tokio::test(start_paused = true)]
async fn the_key_is_in_no_report() {
    let (server, service) = talkative();
    let training = service.create_lora_training_client("base", crate::LoraConfig::new(4));
    let training = training.await.unwrap();
    let replies = [
        Reply::status(500, json!({"detail": "x"})),
        Reply::lost(),
        Reply::status(400, json!({"detail": "x"})),
        Reply::json(json!({"error": "bad", "category": "server"})),
    ];
    server.then("retrieve_future", replies.into());
    training.optim_step(AdamParams::new(0.1)).await.unwrap_err();
    server.always("retrieve_future", 401, json!({"detail": "x"}));
    training.optim_step(AdamParams::new(0.1)).await.unwrap_err();
    service.close(FinishReason::Errored).await.unwrap();
    let all = server.seen_at("telemetry");
    assert!(
        all.iter()
            .all(|seen| seen.header("x-api-key") == Some("tml-secret"))
    );
    assert!(
        all.iter()
            .all(|seen| !String::from_utf8_lossy(&seen.body).contains("tml-"))
    );
    let told = names(&server);
    for name in ["api_status_error", "connection_error", "application_error"] {
        let name = format!("APIFuture.result_async.{name}");
        assert!(told.contains(&name), "{name} in {told:?}");
    }
}
