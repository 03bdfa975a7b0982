mod view;

use std::time::Duration;

use serde_json::json;
use tinker_types::{ModelInput, QueueState, SampleResponse, SamplingParams, TensorData, proto};
use tokio::time::sleep;

use super::options::SampleOptions;
use crate::error::Error;
use crate::fixture::{FakeServer, Reply, assert_small};
use crate::operation::waiting::WaitingFor;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn prompt() -> ModelInput {
    ModelInput::from_tokens([1, 2, 3])
}

fn params() -> SamplingParams {
    SamplingParams::default().with_max_tokens(3)
}

#[tokio::test(start_paused = true)]
async fn a_sample_comes_back_with_the_names_of_its_sequences() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let response = assert_small(client.sample(prompt(), params()), 128)
        .await
        .unwrap();
    assert_eq!(response.sequences[0].tokens, [0]);
    assert_eq!(
        response.sequences[0].sequence_id.as_ref().unwrap().as_str(),
        "seq-0-0"
    );
    let seen = &server.seen_at("asample")[0];
    assert_eq!(seen.header("x-tinker-sampling-backpressure"), Some("1"));
    assert_eq!(seen.header("x-sdk-method"), Some("SamplingClient.sample"));
    assert_eq!(seen.json()["sampling_session_id"], "s:sample:0");
    assert_eq!(seen.json()["sampling_params"]["max_tokens"], 3);
    assert_eq!(client.base_model(), Some("base"));
}

#[tokio::test(start_paused = true)]
async fn sequence_ids_are_given_in_the_order_of_calls() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let samples: Vec<_> = (0..50).map(|_| client.sample(prompt(), params())).collect();
    for (number, sample) in (0_u32..).zip(samples) {
        assert_eq!(sample.await.unwrap().sequences[0].tokens, [number]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_says_what_its_base_is() {
    let server = FakeServer::new();
    let service = server.service();
    let path = "tinker://r/sampler_weights/a";
    let client = service.create_sampling_client(path).await.unwrap();
    assert_eq!(client.base_model(), Some("base"));
    let body = server.seen_at("create_sampling_session")[0].json();
    assert_eq!(
        (&body["model_path"], &body["base_model"]),
        (&json!(path), &json!(null))
    );

    server.always("samplers/s:sample:1", 404, json!({"detail": "Not Found"}));
    let client = service.create_sampling_client(path).await.unwrap();
    assert_eq!(client.base_model(), None, "an older server does not say");
}

#[tokio::test(start_paused = true)]
async fn servers_may_name_no_sequences() {
    for names in [json!(null), json!(["a", "b"])] {
        let server = FakeServer::new();
        let client = server.sampling().await;
        let body = json!({"request_id": "sample-0", "sample_sequence_ids": names});
        server.always("asample", 200, body);
        let response = client.sample(prompt(), params()).await.unwrap();
        assert_eq!(response.sequences[0].sequence_id, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_server_may_answer_json() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let body = json!({"type": "sample", "prompt_logprobs": [null, -1.5, -2.5],
                      "sequences": [{"stop_reason": "length", "tokens": [7], "logprobs": [-0.5]}]});
    server.on("retrieve_future", move |_| Some(Reply::json(body.clone())));
    let response = client.sample(prompt(), params()).await.unwrap();
    assert_eq!(response.sequences[0].tokens, [7]);
    assert_eq!(
        client.compute_logprobs(prompt()).await.unwrap(),
        [None, Some(-1.5), Some(-2.5)]
    );
    let body = server.seen_at("asample")[1].json();
    assert_eq!(
        (
            &body["prompt_logprobs"],
            &body["sampling_params"]["max_tokens"]
        ),
        (&json!(true), &json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_promise_is_asked_for_anew_under_a_new_number() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let expired = || Reply::status(410, json!({"detail": "expired"}));
    server.then("retrieve_future", vec![expired(), expired()]);
    let response = client.sample(prompt(), params()).await.unwrap();
    assert_eq!(response.sequences[0].tokens, [2]);
    assert_eq!(
        response.sequences[0].sequence_id.as_ref().unwrap().as_str(),
        "seq-2-0"
    );
    let at = server.seconds("asample");
    assert!(
        (0.3..=0.5).contains(&at[1]) && (0.75..=1.0).contains(&(at[2] - at[1])),
        "{at:?}"
    );

    let server = FakeServer::new();
    server.always("client/config", 200, json!({"sample_no_retries": true}));
    let client = server.sampling().await;
    server.then("retrieve_future", vec![expired()]);
    let error = client.sample(prompt(), params()).await.unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_and_server_errors_surface() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let busy = || Reply::status(429, json!({"detail": "slow down"}));
    server.then("asample", vec![busy(), busy()]);
    let sample = client.sample(prompt(), params());
    sleep(Duration::from_millis(500)).await;
    assert_eq!(sample.waiting().unwrap().reason, WaitingFor::Acceptance);
    sample.await.unwrap();
    assert_eq!(server.seconds("asample"), [0.0, 1.0, 2.0]);
    let numbers: Vec<_> = server
        .seen_at("asample")
        .iter()
        .map(|s| s.json()["seq_id"].clone())
        .collect();
    assert_eq!(numbers, [0, 0, 0]);

    server.then(
        "asample",
        vec![Reply::status(500, json!({"detail": "boom"}))],
    );
    let error = client.sample(prompt(), params()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "asample: the server answered 500 Internal Server Error: boom"
    );
    assert!(error.is_retryable() && error.may_have_been_done());

    server.then("asample", vec![Reply::lost()]);
    client.sample(prompt(), params()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_are_under_way_than_the_server_wants() {
    let server = FakeServer::new();
    server.always(
        "client/config",
        200,
        json!({"sample_max_concurrent_requests": 3}),
    );
    let client = server.sampling().await;
    server.on("retrieve_future", |seen| {
        let token = seen.json()["request_id"]
            .as_str()?
            .strip_prefix("sample-")?
            .parse()
            .ok()?;
        let mut response = SampleResponse::default();
        let sequence =
            tinker_types::SampledSequence::new(tinker_types::StopReason::Stop, vec![token]);
        response.sequences = vec![sequence];
        Some(Reply::protobuf(proto::encode_sample(&response)).after(seconds(10)))
    });
    let samples: Vec<_> = (0..7).map(|_| client.sample(prompt(), params())).collect();
    futures_util::future::try_join_all(samples).await.unwrap();
    assert_eq!(
        server.seconds("asample"),
        [0.0, 0.0, 0.0, 10.0, 10.0, 10.0, 20.0]
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_a_sample_cancels_it_on_the_server() {
    let server = FakeServer::new();
    let flags = json!({"sample_cancel_enabled": true, "sample_cancel_max_batch_size": 2});
    server.always("client/dynamic_config", 200, flags);
    server.on("cancel_future", |_| {
        Some(Reply::raw(204, "text/plain", "").after(seconds(1)))
    });
    let client = server.sampling().await;
    server.on("retrieve_future", |_| Some(Reply::never()));
    let samples: Vec<_> = (0..5).map(|_| client.sample(prompt(), params())).collect();
    sleep(seconds(1)).await;
    drop(samples);
    drop(client);
    sleep(seconds(10)).await;
    let mut cancelled: Vec<String> = server
        .seen_at("cancel_future")
        .iter()
        .map(|seen| seen.json()["request_id"].as_str().unwrap().to_owned())
        .collect();
    cancelled.sort_unstable();
    assert_eq!(
        cancelled,
        ["sample-0", "sample-1", "sample-2", "sample-3", "sample-4"]
    );
    assert_eq!(
        server.seconds("cancel_future"),
        [0.0, 0.0, 1.0, 1.0, 2.0],
        "two at a time"
    );
    let polls = server.seen_at("retrieve_future").len();
    sleep(seconds(300)).await;
    assert_eq!(
        server.seen_at("retrieve_future").len(),
        polls,
        "polling has stopped"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sample_that_is_done_or_whose_server_does_not_care_is_not_cancelled() {
    let server = FakeServer::new();
    server.always(
        "client/dynamic_config",
        200,
        json!({"sample_cancel_enabled": true}),
    );
    let client = server.sampling().await;
    let mut done = client.sample(prompt(), params());
    (&mut done).await.unwrap();
    drop(done);

    let indifferent = FakeServer::new();
    let client = indifferent.sampling().await;
    indifferent.on("retrieve_future", |_| Some(Reply::never()));
    let sample = client.sample(prompt(), params());
    sleep(seconds(1)).await;
    drop(sample);
    sleep(seconds(60)).await;
    assert!(server.seen_at("cancel_future").is_empty());
    assert!(indifferent.seen_at("cancel_future").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_here_is_not_sent_and_uses_no_number() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let options = || SampleOptions::new(params());
    let mut last_n_alone = options();
    last_n_alone.prompt_logprobs_last_n = Some(3);
    for (prompt, options) in [
        (ModelInput::default(), options()),
        (ModelInput::from_tokens([]), options()),
        (prompt(), params().with_top_p(0.0).into()),
        (prompt(), params().with_temperature(f64::NAN).into()),
        (prompt(), options().with_num_samples(0)),
        (prompt(), options().with_prompt_logprobs_last_n(0)),
        (prompt(), last_n_alone),
        (
            prompt(),
            options().with_target_prompt_logprobs(TensorData::from(vec![1_i64])),
        ),
    ] {
        let error = client.sample(prompt, options).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
    assert!(server.seen_at("asample").is_empty());
    assert_eq!(
        client.sample(prompt(), params()).await.unwrap().sequences[0].tokens,
        [0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_what_was_asked_for_is_found_out() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let options = SampleOptions::new(params()).with_prompt_alt_tokens_k(2);
    let error = client.sample(prompt(), options).await.unwrap_err();
    assert!(error.to_string().contains("prompt_alt_tokens_k"), "{error}");
    let error = client.compute_logprobs(prompt()).await.unwrap_err();
    assert!(error.to_string().contains("prompt_logprobs"), "{error}");

    let all = json!({"sequences": [], "prompt_logprobs": [null, -1.0, -1.0]});
    server.on("retrieve_future", move |_| Some(Reply::json(all.clone())));
    let options = SampleOptions::new(params()).with_prompt_logprobs_last_n(1);
    let error = client.sample(prompt(), options).await.unwrap_err();
    assert!(
        error.to_string().contains("prompt_logprobs_last_n"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_sampler_says_why() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let word = json!({"type": "try_again", "queue_state": "paused_rate_limit"});
    let word = Reply::json(word);
    server.then(
        "retrieve_future",
        vec![word, Reply::try_again().after(seconds(30))],
    );
    let sample = client.sample(prompt(), params());
    sleep(Duration::from_millis(5)).await;
    let reason = sample.waiting().unwrap().reason;
    let state = Some(QueueState::PausedRateLimit);
    assert_eq!(
        reason,
        WaitingFor::Server {
            state,
            reason: None
        }
    );
    sample.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_copy_numbers_its_samples_apart() {
    let server = FakeServer::new();
    let service = server.service();
    let original = service.create_sampling_client("base").await.unwrap();
    let handle = original.handle().await.unwrap();
    let copy = service.sampling_client_from_handle(handle).unwrap();
    assert_eq!(copy.base_model(), Some("base"));
    for client in [&original, &copy, &copy] {
        client
            .sample(prompt(), SamplingParams::default())
            .await
            .unwrap();
    }
    let ids: Vec<u64> = server
        .seen_at("asample")
        .iter()
        .map(|seen| seen.json()["seq_id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids[0], 0);
    assert!((1_000_000_000..=1_000_000_000_000_000_000).contains(&ids[1]));
    assert_eq!((ids[1] % 1_000_000_000, ids[2]), (0, ids[1] + 1));
    assert_eq!(server.seen_at("create_session").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_server_numbers_copies_where_it_wants_to() {
    let server = FakeServer::new();
    let flags = json!({"sample_join_sampling_session": true});
    server.always("client/config", 200, flags);
    let original = server.sampling().await;
    let text = original.handle().await.unwrap().to_string();
    // A process of its own: no session is opened there.
    let elsewhere = server.service();
    let handle: crate::SamplerHandle = text.parse().unwrap();
    let copy = elsewhere
        .sampling_client_from_handle(handle.clone())
        .unwrap();
    server.then(
        "join_sampling_session",
        vec![Reply::json(json!({"client_counter": 3}))],
    );
    let sample = |client: crate::SamplingClient| async move {
        let params = SamplingParams::default();
        client.sample(prompt(), params).await.unwrap();
    };
    tokio::join!(sample(copy.clone()), sample(copy.clone()));
    assert_eq!(server.seen_at("join_sampling_session").len(), 1);
    let mut ids: Vec<u64> = server
        .seen_at("asample")
        .iter()
        .map(|seen| seen.json()["seq_id"].as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [3_000_000_000, 3_000_000_001]);
    assert_eq!(server.seen_at("create_session").len(), 1);

    // The fake has no such route by itself: numbers are drawn.
    let third = elsewhere.sampling_client_from_handle(handle).unwrap();
    sample(third).await;
    let last = server.seen_at("asample").pop().unwrap();
    assert!(last.json()["seq_id"].as_u64().unwrap() >= 1_000_000_000);
}
