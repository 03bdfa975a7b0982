use std::sync::Mutex;

use serde_json::{Value, json};
use tinker_types::FinishReason;
use tokio::time::sleep;

use super::*;
use crate::fixture::{FakeServer, Reply, Seen};
use crate::{Config, ModelInput, Pending, SampleResponse, SamplingClient, SamplingParams};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A server that asks for one poll, answers it with these after a second each, and then holds it.
async fn polled(answers: Vec<Value>) -> (FakeServer, SamplingClient) {
    let server = FakeServer::new();
    server.on("client/config", |_| {
        Some(Reply::json(json!({"sample_use_retrieve_futures": true})))
    });
    let mut answers = answers.into_iter();
    let cursor = Mutex::new(json!(0));
    server.on("retrieve_futures", move |seen| {
        let mut cursor = cursor.lock().unwrap();
        if seen.json()["timeout"] == json!(0.0) {
            return Some(Reply::json(json!({"completions": [], "cursor": *cursor})));
        }
        let Some(answer) = answers.next() else {
            let idle = json!({"completions": [], "cursor": *cursor});
            return Some(Reply::json(idle).after(seconds(30)));
        };
        *cursor = answer["cursor"].clone();
        Some(Reply::json(answer).after(seconds(1)))
    });
    let client = server.sampling().await;
    (server, client)
}

fn sample(client: &SamplingClient) -> Pending<SampleResponse> {
    let params = SamplingParams::default().with_max_tokens(1);
    client.sample(ModelInput::from_tokens([1]), params)
}

fn finished(ids: &[u64], cursor: i64) -> Value {
    let done = |id: &u64| json!({"state": "finished", "request_id": format!("sample-{id}")});
    json!({"completions": ids.iter().map(done).collect::<Value>(), "cursor": cursor})
}

/// Bodies of the polls, without their target.
fn polls(server: &FakeServer) -> Vec<Value> {
    let body = |seen: Seen| {
        let mut body = seen.json();
        assert_eq!(
            body.as_object_mut().unwrap().remove("target"),
            Some(
                json!({"type": "sampling_session", "sampling_session_id": "s:sample:0",
                        "cloned_sampler_id": 0})
            )
        );
        assert!(seen.header("x-sdk-method").is_none());
        body
    };
    let seen = server.seen_at("retrieve_futures");
    seen.into_iter().map(body).collect()
}

#[tokio::test(start_paused = true)]
async fn one_poll_serves_all_samples_and_says_what_was_fetched() {
    let (server, client) = polled(vec![finished(&[2, 0], 4), finished(&[1], 9)]).await;
    let samples: Vec<_> = (0..3).map(|_| sample(&client)).collect();
    for (number, sample) in (0_u32..).zip(samples) {
        assert_eq!(sample.await.unwrap().sequences[0].tokens, [number]);
    }
    sleep(seconds(90)).await;
    let polls = polls(&server);
    assert_eq!(
        polls[..2],
        [
            json!({"prev_cursor": 0, "retrieved_request_ids": []}),
            json!({"prev_cursor": 4, "retrieved_request_ids": []}),
        ]
    );
    let mut told: Vec<_> = polls
        .iter()
        .flat_map(|poll| poll["retrieved_request_ids"].as_array().unwrap().clone())
        .collect();
    told.sort_by_key(Value::to_string);
    assert_eq!(told, ["sample-0", "sample-1", "sample-2"]);
    let last = polls.last().unwrap();
    assert_eq!(
        (&last["prev_cursor"], &last["timeout"]),
        (&json!(9), &json!(0.0))
    );
    assert!(polls.len() <= 5, "idle afterwards: {polls:?}");
    let results: Vec<_> = server.seen_at("retrieve_future");
    assert_eq!(results.len(), 3, "each result is asked for once");
}

#[tokio::test(start_paused = true)]
async fn the_cursor_may_go_back() {
    let (server, client) = polled(vec![finished(&[0], 9), finished(&[1], 4)]).await;
    let samples = [sample(&client), sample(&client)];
    for sample in samples {
        sample.await.unwrap();
    }
    sleep(seconds(1)).await;
    let polls = polls(&server);
    let cursors: Vec<_> = polls.iter().map(|poll| &poll["prev_cursor"]).collect();
    assert_eq!(cursors[..3], [0, 9, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_size_is_reserved_before_the_result_is_asked_for_in_full() {
    let mut answer = finished(&[0], 1);
    answer["completions"][0]["response_payload_uncompressed_size"] = json!(1_u64 << 40);
    let (server, client) = polled(vec![answer, finished(&[1], 2)]).await;
    let first = sample(&client);
    sleep(Duration::from_millis(10)).await;
    let second = sample(&client);
    first.await.unwrap();
    second.await.unwrap();
    let asked = server.seen_at("retrieve_future");
    let takes_size_only: Vec<_> = asked
        .iter()
        .map(|seen| seen.json()["allow_metadata_only"].clone())
        .collect();
    assert_eq!(takes_size_only, [false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_sample_done_before_its_name_is_known_is_not_missed() {
    let (server, client) = polled(vec![finished(&[1, 0], 4)]).await;
    server.on("asample", |seen| {
        let id = seen.json()["seq_id"].as_u64().unwrap();
        let reply = Reply::json(json!({"request_id": format!("sample-{id}")}));
        Some(reply.after(seconds(if id == 1 { 20 } else { 0 })))
    });
    let (first, second) = (sample(&client), sample(&client));
    first.await.unwrap();
    let began = Instant::now();
    second.await.unwrap();
    assert_eq!(began.elapsed(), seconds(19));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_sample_leaves_nothing_behind_and_is_acknowledged() {
    let (server, client) = polled(vec![finished(&[], 1), finished(&[0, 1], 4)]).await;
    let (dropped, kept) = (sample(&client), sample(&client));
    sleep(Duration::from_millis(500)).await;
    drop(dropped);
    kept.await.unwrap();
    sleep(seconds(1)).await;
    assert_eq!(server.seen_at("retrieve_future").len(), 1);
    let told = polls(&server)
        .into_iter()
        .map(|poll| poll["retrieved_request_ids"].to_string());
    let told = told.collect::<String>();
    assert!(
        told.contains("sample-0") && told.contains("sample-1"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_promise_that_was_given_up_is_asked_for_anew() {
    let (server, client) = polled(vec![finished(&[0], 1), finished(&[1], 2)]).await;
    server.then("retrieve_future", vec![Reply::status(410, json!({}))]);
    let response = sample(&client).await.unwrap();
    assert_eq!(response.sequences[0].tokens, [1]);
}

#[tokio::test(start_paused = true)]
async fn trouble_is_waited_out_a_second_at_a_time() {
    let (server, client) = polled(vec![finished(&[0], 1)]).await;
    let bad = |status| Reply::status(status, json!({"detail": "x"}));
    let trouble = vec![
        bad(503),
        bad(429),
        bad(400),
        bad(400),
        bad(400),
        Reply::lost(),
        bad(409),
    ];
    server.then("retrieve_futures", trouble);
    let began = Instant::now();
    sample(&client).await.unwrap();
    assert_eq!(began.elapsed(), seconds(8));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_do_it_is_asked_for_each_sample() {
    for status in [404, 401] {
        let (server, client) = polled(Vec::new()).await;
        server.always(
            "retrieve_futures",
            status,
            json!({"detail": "no such route"}),
        );
        sample(&client).await.unwrap();
        sample(&client).await.unwrap();
        assert_eq!(server.seen_at("retrieve_futures").len(), 1);
    }
    let (server, client) = polled(vec![json!({"completions": "none"})]).await;
    sample(&client).await.unwrap();
    assert_eq!(server.seen_at("retrieve_futures").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_server_is_given_up_on_the_mark() {
    let server = FakeServer::new();
    server.on("client/config", |_| {
        Some(Reply::json(json!({"sample_use_retrieve_futures": true})))
    });
    let config = Config::new("http://fake").with_unreachable_after(seconds(30));
    let service = server.builder().config(config).build().unwrap();
    let client = service.create_sampling_client("base").await.unwrap();
    server.on("retrieve_futures", |_| Some(Reply::lost()));
    server.on("retrieve_future", |_| Some(Reply::lost()));
    let began = Instant::now();
    let error = sample(&client).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    assert_eq!(began.elapsed(), seconds(30));
}

#[tokio::test(start_paused = true)]
async fn the_last_word_is_said_when_the_sampler_goes() {
    let (server, client) = polled(vec![finished(&[0], 7)]).await;
    server.on("retrieve_futures", |seen| {
        let is_short = seen.json()["timeout"] == json!(0.0);
        is_short.then(|| Reply::json(json!({"completions": [], "cursor": 7})).after(seconds(2)))
    });
    sample(&client).await.unwrap();
    drop(client);
    sleep(seconds(10)).await;
    let last = polls(&server).pop().unwrap();
    assert_eq!(last["retrieved_request_ids"], json!(["sample-0"]));
    let count = polls(&server).len();
    sleep(seconds(600)).await;
    assert_eq!(polls(&server).len(), count, "the task has ended");
}

#[tokio::test(start_paused = true)]
async fn dropping_all_during_a_held_poll_ends_the_task() {
    let (server, client) = polled(Vec::new()).await;
    let pending = sample(&client);
    sleep(seconds(5)).await;
    drop((pending, client));
    sleep(seconds(600)).await;
    assert_eq!(polls(&server).len(), 1);
    // Only to see that the service was not needed for that.
    server.service().close(FinishReason::Success).await.unwrap();
}
