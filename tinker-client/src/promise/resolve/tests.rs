use std::time::Duration;

use serde_json::{Value, json};
use tinker_types::{AdamParams, ErrorCategory, Loss, OptimStepOutput, QueueState};

use crate::error::Error;
use crate::fixture::{FakeServer, Reply, data};
use crate::operation::waiting::WaitingFor;
use crate::{Config, LoraConfig, Pending, TrainingClient};

/// A client, and a server that from now on answers polls of steps like this.
async fn polled(replies: Vec<Reply>) -> (FakeServer, TrainingClient) {
    let server = FakeServer::new();
    let client = server.training().await;
    server.then("retrieve_future", replies);
    (server, client)
}

fn step(client: &TrainingClient) -> Pending<OptimStepOutput> {
    client.optim_step(AdamParams::new(0.1))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Polls after those that made the model.
fn polls(server: &FakeServer) -> Vec<f64> {
    let seen = server.seen_at("retrieve_future");
    let steps: Vec<_> = seen
        .iter()
        .filter(|seen| seen.json()["request_id"] == "step-1")
        .collect();
    steps
        .iter()
        .map(|seen| seen.at.saturating_sub(steps[0].at).as_millis() as f64 / 1000.0)
        .collect()
}

fn status(code: u16) -> Reply {
    Reply::status(code, json!({"detail": "words"}))
}

#[tokio::test(start_paused = true)]
async fn polls_say_what_they_ask_for() {
    let (server, client) = polled(vec![Reply::try_again().after(seconds(30))]).await;
    step(&client).await.unwrap();
    let polls = server.seen_at("retrieve_future").split_off(1);
    assert_eq!(
        polls[0].json(),
        json!({"request_id": "step-1", "allow_metadata_only": true})
    );
    for (iteration, poll) in polls.iter().enumerate() {
        assert_eq!(poll.header("x-tinker-request-type"), Some("OptimStep"));
        assert_eq!(
            poll.header("x-tinker-request-iteration"),
            Some(&*iteration.to_string())
        );
        assert_eq!(poll.header("accept"), Some("application/json"));
        assert_eq!(
            poll.header("x-sdk-method"),
            Some("TrainingClient.optim_step")
        );
        let took = poll.header("x-tinker-create-promise-roundtrip-time");
        assert_eq!(took.is_some(), iteration == 0);
    }
    client
        .forward(data(1), Loss::cross_entropy())
        .await
        .unwrap();
    let poll = server.seen_at("retrieve_future").pop().unwrap();
    assert_eq!(poll.header("x-tinker-request-type"), Some("Forward"));
    assert_eq!(poll.header("accept"), Some("application/x-protobuf"));
    assert_eq!(poll.header("x-sdk-method"), Some("TrainingClient.forward"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_holds_polls_is_asked_at_once_and_one_that_does_not_is_given_rest() {
    let held = || Reply::try_again().after(seconds(30));
    let (server, client) = polled(vec![held(), held()]).await;
    step(&client).await.unwrap();
    assert_eq!(polls(&server), [0.0, 30.0, 60.0]);

    let (server, client) = polled((0..9).map(|_| Reply::try_again()).collect()).await;
    step(&client).await.unwrap();
    let at = polls(&server);
    let waits: Vec<f64> = at
        .windows(2)
        .map(|pair| ((pair[1] - pair[0]) * 1e3).round())
        .collect();
    assert_eq!(
        waits,
        [
            20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1000.0, 1000.0, 1000.0
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn trouble_is_waited_out() {
    for (name, trouble, at) in [
        (
            "throttled",
            vec![status(429), status(429), status(429)],
            vec![0.0, 1.0, 3.0, 7.0],
        ),
        (
            "lost",
            vec![Reply::lost(), Reply::lost()],
            vec![0.0, 1.0, 3.0],
        ),
        ("no answer", vec![Reply::never()], vec![0.0, 46.0]),
        (
            "edge",
            vec![Reply::raw(400, "text/plain", "")],
            vec![0.0, 1.0],
        ),
        (
            "held 408",
            vec![status(408).after(seconds(40))],
            vec![0.0, 40.0],
        ),
        (
            "held 500",
            vec![status(500).after(seconds(5)), status(429)],
            vec![0.0, 5.0, 6.0],
        ),
    ] {
        let (server, client) = polled(trouble).await;
        step(&client)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let polls = polls(&server);
        assert_eq!(polls[..at.len()], at, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn server_errors_are_asked_about_for_ever_but_not_all_the_time() {
    let (server, client) = polled(Vec::new()).await;
    server.always("retrieve_future", 503, json!({"detail": "restarting"}));
    let mut pending = step(&client);
    assert!(
        tokio::time::timeout(seconds(3600), &mut pending)
            .await
            .is_err()
    );
    let polls = polls(&server).len();
    assert!((360..400).contains(&polls), "{polls} polls in an hour");
    let waiting = pending.waiting().unwrap();
    assert_eq!(
        waiting.to_string(),
        "the server answered 503 Service Unavailable"
    );
    assert!(waiting.elapsed() > seconds(3500));
}

#[tokio::test(start_paused = true)]
async fn the_fourth_400_is_final_and_tells_the_servers_words() {
    let (server, client) = polled((0..9).map(|_| status(400)).collect()).await;
    let error = step(&client).await.unwrap_err();
    assert_eq!(polls(&server).len(), 4);
    assert_eq!(
        error.to_string(),
        "optim_step: the server answered 400 Bad Request to a poll for the result of step-1: words"
    );
    assert!(error.is_user_error() && error.may_have_been_done());
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_for_a_poll_may_come_from_in_between_and_is_borne_three_times() {
    let answers = |count| (0..count).map(|n| status([409, 425][n % 2])).collect();
    let (server, client) = polled(answers(9)).await;
    assert!(matches!(step(&client).await, Err(Error::Status(_))));
    assert_eq!(polls(&server).len(), 4);
    let (_, client) = polled(answers(3)).await;
    step(&client).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn other_refusals_are_final_at_once() {
    for code in [401, 403, 422] {
        let (server, client) = polled(vec![status(code)]).await;
        let error = step(&client).await.unwrap_err();
        let Error::Status(refusal) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(refusal.status().as_u16(), code);
        assert_eq!(refusal.request_id().unwrap().as_str(), "step-1");
        assert_eq!(polls(&server).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_promise_that_is_gone_says_what_can_be_done() {
    let (_, client) = polled(vec![status(404)]).await;
    let error = step(&client).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "optim_step: words (the server answered 404 to a poll for the result of request step-1)"
    );
    let unknown = Reply::status(404, json!({"detail": "unknown request step-1"}));
    let (_, client) = polled(vec![unknown]).await;
    let error = step(&client).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "optim_step: the server does not know request step-1 (404), for example after a restart; saved checkpoints can be loaded again"
    );
    let (_, client) = polled(vec![status(410)]).await;
    let error = step(&client).await.unwrap_err();
    assert!(
        matches!(&error, Error::Gone(gone) if gone.has_expired()),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_has_its_category_and_wins_over_a_result() {
    for (category, read, user) in [
        (json!("user"), ErrorCategory::User, true),
        (json!("server"), ErrorCategory::Server, false),
        (json!("weird"), ErrorCategory::Unknown, false),
    ] {
        let body = json!({"error": "bad input", "category": category, "metrics": {}});
        let (_, client) = polled(vec![Reply::json(body)]).await;
        let error = step(&client).await.unwrap_err();
        let Error::Failed(failed) = &error else {
            panic!("{error:?}")
        };
        assert_eq!((failed.category(), failed.message()), (read, "bad input"));
        assert_eq!(error.is_user_error(), user);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_none_are_decode_errors() {
    let malformed = Reply::protobuf(bytes::Bytes::from_static(b"\xff"));
    for reply in [
        Reply::json(Value::Null),
        Reply::raw(200, "application/json", "{"),
        Reply::json(json!({"metrics": "x"})),
        malformed,
    ] {
        let (_, client) = polled(vec![reply]).await;
        let error = step(&client).await.unwrap_err();
        assert!(matches!(error, Error::Decode(_)), "{error}");
    }
    let malformed = Reply::protobuf(bytes::Bytes::from_static(b"\xff"));
    let (_, client) = polled(vec![malformed]).await;
    let error = client
        .forward(data(1), Loss::cross_entropy())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_older_server_may_answer_json() {
    let body = json!({"loss_fn_outputs": [{"logprobs": {"data": [-0.5], "dtype": "float32"}}],
                      "metrics": {"loss": 2.0}});
    let (_, client) = polled(vec![Reply::json(body)]).await;
    let output = client
        .forward_backward(data(1), Loss::cross_entropy())
        .await
        .unwrap();
    assert_eq!(output.logprobs(0), Some(&[-0.5][..]));
    assert!((output.metrics["loss"] - 2.0).abs() < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_reserved_and_then_asked_for_in_full() {
    let size = || Reply::json(json!({"status": "complete_metadata", "response_payload_size": 9}));
    let (server, client) = polled(vec![size(), Reply::try_again()]).await;
    step(&client).await.unwrap();
    let asked: Vec<_> = server.seen_at("retrieve_future").split_off(1);
    let asked: Vec<_> = asked
        .iter()
        .map(|seen| seen.json()["allow_metadata_only"].clone())
        .collect();
    assert_eq!(asked, [json!(true), json!(false), json!(false)]);

    let (_, client) = polled(vec![size(), size()]).await;
    let error = step(&client).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn large_results_wait_for_room() {
    let server = FakeServer::new();
    let budget = json!({"inflight_response_bytes_semaphore_size": 4096, "a_later_flag": [1]});
    server.always("client/config", 200, budget);
    let client = server.training().await;
    server.on("retrieve_future", |seen| {
        let asks_for_size = seen.json()["allow_metadata_only"] == true;
        let size = json!({"status": "complete_metadata", "response_payload_size": 4000});
        Some(if asks_for_size {
            Reply::json(size)
        } else {
            Reply::json(json!({})).after(seconds(10))
        })
    });
    let (first, second) = (step(&client), step(&client));
    tokio::time::sleep(seconds(5)).await;
    let stuck = [&first, &second].map(|step| step.waiting().unwrap().reason);
    assert_eq!(
        stuck,
        [
            WaitingFor::Payload { bytes: 4000 },
            WaitingFor::Payload { bytes: 4000 }
        ]
    );
    first.await.unwrap();
    second.await.unwrap();
    let full: Vec<_> = server
        .seen_at("retrieve_future")
        .into_iter()
        .filter(|seen| seen.json()["allow_metadata_only"] == false)
        .map(|seen| seen.at.as_secs())
        .collect();
    assert_eq!(full[1] - full[0], 10, "one after the other");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_away_is_given_up_in_the_end() {
    let server = FakeServer::new();
    let config = Config::new("http://fake").with_unreachable_after(seconds(60));
    let service = server.builder().config(config).build().unwrap();
    let client = service
        .create_lora_training_client("base", LoraConfig::new(4))
        .await
        .unwrap();
    server.on("retrieve_future", |_| Some(Reply::lost()));
    let pending = step(&client);
    tokio::time::sleep(seconds(5)).await;
    let WaitingFor::Connection { address, cause } = pending.waiting().unwrap().reason else {
        panic!("it does not wait for the connection");
    };
    assert_eq!(
        (&*address, &*cause),
        ("http://fake", "the connection broke (retrieve_future)")
    );
    let error = pending.await.unwrap_err();
    let Error::Unreachable(unreachable) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(unreachable.lasted(), seconds(60));
    assert_eq!(polls(&server), [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 60.0]);
    assert!(error.is_retryable() && error.may_have_been_done());
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_refuses_for_ever_is_given_up_too() {
    let (server, client) = polled(Vec::new()).await;
    server.on("retrieve_future", |_| {
        Some(Reply::raw(400, "text/plain", ""))
    });
    let error = step(&client).await.unwrap_err();
    assert!(matches!(error, Error::Status(_)), "{error}");
    assert_eq!(polls(&server).last(), Some(&300.0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_only_slow_is_never_given_up() {
    let (_, client) = polled((0..40).map(|_| Reply::never()).collect()).await;
    step(&client).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_servers_reason_is_known_from_the_first_answer() {
    for status in [200, 408] {
        let word = json!({"type": "try_again", "queue_state": "paused_capacity",
                          "queue_state_reason": "no free node"});
        let held = Reply::try_again().after(seconds(60));
        let (_, client) = polled(vec![Reply::status(status, word), held]).await;
        let pending = step(&client);
        assert_eq!(pending.waiting().unwrap().reason, WaitingFor::Turn);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let waiting = pending.waiting().unwrap();
        let state = Some(QueueState::PausedCapacity);
        let reason = Some("no free node".to_owned());
        assert_eq!(waiting.reason, WaitingFor::Server { state, reason });
        assert_eq!(waiting.to_string(), "paused_capacity: no free node");
        pending.await.unwrap();
    }
}
