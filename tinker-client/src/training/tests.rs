mod dialect;
mod forward;
mod level;
mod loaded;
mod refused;
mod step;

use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tinker_types::{AdamParams, Datum, ForwardBackwardOutput, proto};
use tokio::time::sleep;

use super::client::TrainingClient;
use crate::error::Error;
use crate::fixture::{FakeServer, Reply, Seen, assert_small, data};
use crate::{Loss, SaveOptions};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ce() -> Loss {
    Loss::cross_entropy()
}

fn adam() -> AdamParams {
    AdamParams::new(0.1)
}

/// The sequence id of any training request, protobuf or JSON.
fn seq_id(seen: &Seen) -> u64 {
    match proto::decode_request(seen.body.clone()) {
        Ok(pass) if seen.path == "forward_backward" => pass.seq_id,
        _ => seen.json()["seq_id"].as_u64().unwrap(),
    }
}

/// Sequence ids of all training requests, as they came.
fn order(server: &FakeServer) -> Vec<u64> {
    let training = [
        "forward_backward",
        "forward",
        "optim_step",
        "save_weights",
        "save_weights_for_sampler",
    ];
    let seen = server.seen();
    seen.iter()
        .filter(|seen| training.contains(&seen.path.as_str()))
        .map(seq_id)
        .collect()
}

/// A client whose batches travel in requests of one datum.
async fn split(server: &FakeServer, parallel: bool) -> TrainingClient {
    let flags = json!({"fwdbwd_max_chunk_len": 1, "parallel_fwdbwd_chunks": parallel});
    server.always("client/config", 200, flags);
    server.training().await
}

#[tokio::test(start_paused = true)]
async fn operations_are_pipelined_and_answer_in_any_order() {
    let server = FakeServer::new();
    let client = server.training().await;
    // The first result takes long; the step behind it is accepted all the same.
    server.on("retrieve_future", |seen| {
        (seen.json()["request_id"] == "pass-1").then(|| Reply::try_again().after(seconds(40)))
    });
    let gradients = client.forward_backward(data(2), ce());
    let step = client.optim_step(adam());
    let saved = client.save_state("a");
    assert_eq!(
        saved.await.unwrap().path.to_string(),
        "tinker://s:train:0/weights/a"
    );
    assert_eq!(step.await.unwrap().metrics.unwrap().len(), 1);
    assert_eq!(order(&server), [1, 2, 3]);
    assert!(gradients.waiting().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_next_operation_leaves_when_the_one_before_was_accepted_or_has_failed() {
    let server = FakeServer::new();
    let client = server.training().await;
    server.then(
        "optim_step",
        vec![
            Reply::status(500, json!({})).after(seconds(1)),
            Reply::json(json!({"request_id": "step-1"})).after(seconds(5)),
            Reply::status(400, json!({"detail": "bad"})).after(seconds(2)),
        ],
    );
    let steps: Vec<_> = (0..3).map(|_| client.optim_step(adam())).collect();
    let results = futures_util::future::join_all(steps).await;
    // 1 s to the first failure, 1 s of back-off, 5 s to be accepted; then 2 s to be refused.
    assert_eq!(server.seconds("optim_step"), [0.0, 2.0, 7.0, 9.0]);
    assert_eq!(
        order(&server),
        [1, 1, 2, 3],
        "a repeat keeps its sequence id, a refusal uses its up"
    );
    let [first, second, third] = &results[..] else {
        panic!()
    };
    assert!(first.is_ok() && third.is_ok());
    let error = second.as_ref().unwrap_err();
    assert_eq!(
        error.to_string(),
        "optim_step: the server answered 400 Bad Request: bad"
    );
    assert!(!error.may_have_been_done());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_pending_lets_it_finish() {
    let server = FakeServer::new();
    let client = server.training().await;
    drop(client.forward_backward(data(1), ce()));
    client.optim_step(adam()).await.unwrap();
    assert_eq!(order(&server), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_large_batch_travels_in_parts_with_the_first_one_last() {
    let server = FakeServer::new();
    let client = split(&server, true).await;
    server.on("forward_backward", |seen| {
        let id = seq_id(seen);
        Some(Reply::json(json!({"request_id": format!("pass-{id}")})).after(seconds(id)))
    });
    server.on("retrieve_future", |seen| {
        let id = seen.json()["request_id"]
            .as_str()?
            .strip_prefix("pass-")?
            .parse::<f32>()
            .ok()?;
        let mut output = ForwardBackwardOutput::default();
        output.loss_fn_outputs = vec![[("logprobs".to_owned(), vec![-id].into())].into()];
        output.metrics.insert("loss:sum".into(), f64::from(id));
        Some(Reply::protobuf(proto::encode_output(&output)))
    });
    let output = client.forward_backward(data(4), ce());
    let step = client.optim_step(adam());
    let output = output.await.unwrap();
    step.await.unwrap();
    let order = order(&server);
    let mut rest = order[..3].to_vec();
    rest.sort_unstable();
    assert_eq!((rest, &order[3..]), (vec![2, 3, 4], &[1, 5][..]));
    // The slowest of the others takes 4 s, then the first 1 s.
    assert_eq!(server.seconds("forward_backward"), [0.0, 0.0, 0.0, 4.0]);
    let logprobs: Vec<_> = (0..4)
        .map(|datum| output.logprobs(datum).unwrap()[0])
        .collect();
    assert_eq!(logprobs, [-1.0, -2.0, -3.0, -4.0]);
    assert_eq!(output.loss_sum(), Some(10.0));
}

#[tokio::test(start_paused = true)]
async fn a_server_may_want_the_parts_one_by_one() {
    let server = FakeServer::new();
    let client = split(&server, false).await;
    client.forward_backward(data(3), ce()).await.unwrap();
    assert_eq!(order(&server), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn passes_share_a_budget_of_bytes_while_they_are_sent() {
    for (bytes, at) in [(10, [0.0, 1.0, 2.0]), (50_000_000, [0.0, 0.0, 1.0])] {
        let server = FakeServer::new();
        let flags =
            json!({"fwdbwd_max_chunk_len": 1, "fwdbwd_dispatch_bytes_semaphore_size": bytes});
        server.always("client/config", 200, flags);
        let client = server.training().await;
        server.on("forward_backward", |seen| {
            let id = json!({"request_id": format!("step-{}", seq_id(seen))});
            Some(Reply::json(id).after(seconds(1)))
        });
        client.forward_backward(data(3), ce()).await.unwrap();
        assert_eq!(server.seconds("forward_backward"), at, "{bytes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_was_done_in_part_says_so() {
    let server = FakeServer::new();
    let client = split(&server, true).await;
    server.on("forward_backward", |seen| {
        (seq_id(seen) == 2).then(|| Reply::status(422, json!({"detail": "too long"})))
    });
    let error = client.forward_backward(data(3), ce()).await.unwrap_err();
    let Error::Partly(partly) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((partly.done(), partly.requests()), (2, 3));
    assert!(partly.first().to_string().ends_with("too long"));
    assert!(error.is_user_error() && error.may_have_been_done());
    // Every sequence id reached the server, so nothing that follows is held up.
    client.optim_step(adam()).await.unwrap();
    let mut order = order(&server);
    order.sort_unstable();
    assert_eq!(order, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_here_uses_no_sequence_id() {
    let server = FakeServer::new();
    let client = server.training().await;
    let sent = server.seen().len();
    // It would be sent as null.
    let dimuon = tinker_types::DimuonParams::new(f64::NAN);
    for error in [
        client.forward_backward(Vec::new(), ce()).await.unwrap_err(),
        client
            .forward(vec![Datum::default()], ce())
            .await
            .unwrap_err(),
        client
            .optim_step(AdamParams::new(f64::NAN))
            .await
            .map(|_| ())
            .unwrap_err(),
        client.optim_step(dimuon).await.map(|_| ()).unwrap_err(),
        client.save_state("a/b").await.map(|_| ()).unwrap_err(),
        client
            .save_weights_for_sampler("")
            .await
            .map(|_| ())
            .unwrap_err(),
        client
            .save_weights_for_sampler(SaveOptions::new("a").with_overwrite(true))
            .await
            .map(|_| ())
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
    assert_eq!(server.seen().len(), sent);
    client.optim_step(adam()).await.unwrap();
    assert_eq!(order(&server), [1]);
}

#[tokio::test(start_paused = true)]
async fn passes_travel_as_protobuf_with_zstd_where_the_server_takes_it() {
    let server = FakeServer::new();
    server.always("client/config", 200, json!({"proto_compress_fwdbwd": true}));
    let client = server.training().await;
    server.on("forward_backward", |_| {
        Some(Reply::json(json!({"request_id": "step-1"})))
    });
    server.on("retrieve_future", |_| {
        Some(Reply::protobuf(bytes::Bytes::new()))
    });
    client.forward_backward(data(1), ce()).await.unwrap();
    let pass = &server.seen_at("forward_backward")[0];
    assert_eq!(pass.header("content-type"), Some("application/x-protobuf"));
    assert_eq!(pass.header("content-encoding"), Some("zstd"));
}

/// A server of the JSON age, which answers protobuf like this.
fn json_age(server: &FakeServer, status: u16, refusal: Value) {
    server.on("forward_backward", move |seen| {
        Some(match &seen.json()["forward_backward_input"] {
            Value::Null => Reply::status(status, refusal.clone()),
            _ => Reply::json(json!({"request_id": format!("step-{}", seq_id(seen))})),
        })
    });
    server.on("forward", |seen| {
        assert!(seen.json()["forward_input"].is_object());
        Some(Reply::json(
            json!({"request_id": format!("step-{}", seq_id(seen))}),
        ))
    });
}

#[tokio::test(start_paused = true)]
async fn a_server_that_reads_json_is_remembered() {
    let fields = json!({"detail": [{"loc": ["body"], "msg": "Input should be a dictionary"}]});
    for (status, refusal) in [(415, json!({})), (422, fields)] {
        let server = FakeServer::new();
        let client = server.training().await;
        json_age(&server, status, refusal);
        client.forward_backward(data(2), ce()).await.unwrap();
        client.forward(data(1), ce()).await.unwrap();
        let seen = server.seen_at("forward_backward");
        assert_eq!(seen.len(), 2, "protobuf once, then JSON");
        assert_eq!(seen[1].header("content-type"), Some("application/json"));
        assert_eq!(order(&server), [1, 1, 2]);
        assert_eq!(server.seen_at("forward").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_data_is_not_taken_for_one_of_the_form() {
    let server = FakeServer::new();
    let client = server.training().await;
    server.always("forward_backward", 422, json!({"detail": "unknown loss"}));
    let error = client.forward_backward(data(1), ce()).await.unwrap_err();
    assert!(error.to_string().ends_with("unknown loss"));
    assert_eq!(server.seen_at("forward_backward").len(), 1);

    server.always("forward_backward", 415, json!({"detail": "neither"}));
    let error = client.forward_backward(data(1), ce()).await.unwrap_err();
    assert!(error.to_string().ends_with("neither"));
    assert_eq!(server.seen_at("forward_backward").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn checkpoints_and_samplers() {
    let server = FakeServer::new();
    let client = server.training().await;
    let options = SaveOptions::new("b")
        .with_ttl(seconds(7200))
        .with_overwrite(true)
        .with_user_metadata("k", "v");
    client.save_state(options).await.unwrap();
    assert_eq!(
        server.seen_at("save_weights")[0].json(),
        json!({"model_id": "s:train:0", "path": "b", "seq_id": 1, "ttl_seconds": 7200,
               "overwrite": true, "user_metadata": {"k": "v"}, "type": "save_weights"})
    );
    let path = client.save_weights_for_sampler("c").await.unwrap();
    assert_eq!(path.to_string(), "tinker://s:train:0/sampler_weights/c");
    let sampler = client.save_weights_and_get_sampling_client().await.unwrap();
    assert_eq!(sampler.sampler_id().as_str(), "s:sample:0");
    assert_eq!(sampler.base_model(), Some("base"));
    assert_eq!(
        server.seen_at("save_weights_for_sampler")[1].json(),
        json!({"model_id": "s:train:0", "sampling_session_seq_id": 0,
               "seq_id": 3, "type": "save_weights_for_sampler"})
    );
    assert!(server.seen_at("create_sampling_session").is_empty());
}

#[tokio::test(start_paused = true)]
async fn futures_of_public_calls_are_small() {
    let server = FakeServer::new();
    let client = server.training().await;
    assert_small(client.forward_backward(data(1), ce()), 128)
        .await
        .unwrap();
    assert_small(client.optim_step(adam()), 128).await.unwrap();
    assert_small(client.save_state("a"), 128).await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever each try of each submission comes to, and however long it takes: first tries leave
    /// in the order of calls, and no operation leaves before the one before it is settled.
    #[test]
    fn submissions_leave_in_the_order_of_calls(
        tries in proptest::collection::vec((0_u64..4000, 0_u8..5), 1..40),
        operations in 2_usize..12,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let order = runtime.block_on(async move {
            let server = FakeServer::new();
            let client = server.training().await;
            let tries = Mutex::new(tries.into_iter());
            server.on("optim_step", move |_| {
                let (wait, fate) = tries.lock().unwrap().next()?;
                let id = json!({"request_id": "step-1"});
                let reply = match fate {
                    0 => Reply::status(503, json!({})),
                    1 => Reply::lost(),
                    2 => Reply::status(422, json!({"detail": "no"})),
                    _ => Reply::json(id),
                };
                Some(reply.after(Duration::from_millis(wait)))
            });
            let pending: Vec<_> = (0..operations).map(|_| client.optim_step(adam())).collect();
            futures_util::future::join_all(pending).await;
            sleep(seconds(1)).await;
            order(&server)
        });
        let mut firsts = order.clone();
        firsts.dedup();
        let expected: Vec<u64> = (1..=operations as u64).collect();
        prop_assert_eq!(firsts, expected, "{:?}", order);
    }
}
