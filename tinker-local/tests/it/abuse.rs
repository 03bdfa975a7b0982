//! Clients that hold resources: the resources are bounded, and other clients are served.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, StreamBody};
use serde_json::json;
use tinker_local::{Limits, LocalEngine};
use tinker_types::{Datum, Elements, ForwardBackward, Loss, LossFn, TensorData};
use tokio::sync::mpsc;
use tower_service::Service as _;

use crate::support::{BASE, Client, builder, limited, save_body};

fn session() -> serde_json::Value {
    json!({"sdk_version": "0", "tags": [], "user_metadata": {}})
}

#[tokio::test]
async fn sessions_that_never_end_are_bounded_and_make_room_when_they_are_silent() {
    let client = limited(|limits| {
        limits.sessions = 100;
        limits.session_timeout = Duration::from_millis(300);
    });
    let mut refused = 0;
    for _ in 0..2000 {
        let reply = client.post("create_session", session()).await;
        match reply.status {
            200 => {}
            429 => {
                assert!(
                    reply.detail().contains("100 sessions are open"),
                    "{}",
                    reply.detail()
                );
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert_eq!(client.post("create_session", session()).await.status, 200);
}

#[tokio::test]
async fn notes_are_bounded_and_a_refused_save_holds_nothing_up() {
    let client = limited(|limits| limits.note_bytes = 1000);
    let long = "x".repeat(2000);
    let mut body = session();
    body["user_metadata"] = json!({ "a": long });
    let reply = client.post("create_session", body).await;
    assert!(
        reply.status == 413 && reply.detail().contains("user_metadata"),
        "{}",
        reply.detail()
    );
    let (session, model) = client.model().await;
    let other = json!({
        "session_id": session, "model_seq_id": 1, "base_model": BASE, "lora_config": {"rank": 4},
        "user_metadata": { "a": long },
    });
    assert_eq!(client.post("create_model", other).await.status, 413);
    let mut save = save_body(&model, 1, "a");
    save["user_metadata"] = json!({ "a": long });
    assert_eq!(client.post("save_weights", save).await.status, 413);
    client.done(&client.step(&model, 2).await).await;
}

#[tokio::test]
async fn what_a_request_says_is_not_repeated_at_length() {
    let client = crate::support::client();
    let (_, model) = client.model().await;
    let long = "x".repeat(5_000_000);
    let requests = [
        (
            "create_model",
            json!({"session_id": long, "model_seq_id": 1, "base_model": BASE, "lora_config": {"rank": 4}}),
        ),
        (
            "load_weights",
            json!({"model_id": model, "seq_id": 1, "path": long, "optimizer": false}),
        ),
        (
            "load_weights",
            json!({"model_id": model, "seq_id": 2, "path": format!("tinker://{long}/weights/a"), "optimizer": false}),
        ),
        ("get_info", json!({"model_id": long})),
        ("retrieve_future", json!({"request_id": long})),
        (
            "optim_step",
            json!({"model_id": model, "seq_id": 3, "adam_params": {"learning_rate": long}}),
        ),
    ];
    for (path, body) in requests {
        let reply = client.post(path, body).await;
        let text = if reply.status == 200 {
            client.fetch(&reply.promise()).await.json()["error"]
                .as_str()
                .unwrap()
                .to_owned()
        } else {
            reply.detail()
        };
        assert!(text.len() < 3000, "{path}: {} bytes", text.len());
    }
}

/// Sends a request body piece by piece and returns the status.
fn slowly(engine: &LocalEngine) -> (mpsc::Sender<Bytes>, tokio::task::JoinHandle<u16>) {
    let (pieces, arriving) = mpsc::channel(1);
    let frames = futures(arriving);
    let request = Request::post("http://local/api/v1/create_session")
        .body(StreamBody::new(frames))
        .unwrap();
    let answer = engine.service().call(request);
    (
        pieces,
        tokio::spawn(async move { answer.await.unwrap().status().as_u16() }),
    )
}

/// The pieces as the frames of a body.
fn futures(
    mut arriving: mpsc::Receiver<Bytes>,
) -> impl futures_util::Stream<Item = Result<http_body::Frame<Bytes>, std::io::Error>> {
    futures_util::stream::poll_fn(move |context| {
        arriving
            .poll_recv(context)
            .map(|piece| piece.map(|bytes| Ok(http_body::Frame::data(bytes))))
    })
}

fn engine(change: impl FnOnce(&mut Limits)) -> LocalEngine {
    let mut limits = Limits::default();
    change(&mut limits);
    builder().limits(limits).build().unwrap()
}

#[tokio::test]
async fn bodies_that_never_end_are_bounded_all_together() {
    let engine = engine(|limits| {
        limits.arriving_bytes = 100_000;
        limits.body_time = Duration::from_millis(400);
    });
    let client = Client::of(&engine);
    let mut open = Vec::new();
    for _ in 0..4 {
        let (pieces, status) = slowly(&engine);
        pieces.send(Bytes::from(vec![b' '; 24_000])).await.unwrap();
        pieces.send(Bytes::from(vec![b' '; 900])).await.unwrap();
        open.push((pieces, status));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let padded = format!("{}{}", session(), " ".repeat(2000));
    let full = client
        .send(Method::POST, "create_session", &[], padded.clone())
        .await;
    assert!(
        full.status == 429 && full.detail().contains("being received"),
        "{}",
        full.detail()
    );
    assert_eq!(
        client.post("create_session", session()).await.status,
        200,
        "a small one fits"
    );
    for (_pieces, status) in open {
        assert_eq!(status.await.unwrap(), 408);
    }
    assert_eq!(
        client
            .send(Method::POST, "create_session", &[], padded)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn requests_are_bounded_and_a_dropped_one_makes_room() {
    let engine = engine(|limits| limits.requests = 3);
    let client = Client::of(&engine);
    let open: Vec<_> = (0..3).map(|_| slowly(&engine)).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let full = client.post("create_session", session()).await;
    assert!(
        full.status == 429 && full.detail().contains("3 requests"),
        "{}",
        full.detail()
    );
    for (_, status) in &open {
        status.abort();
    }
    drop(open);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.post("create_session", session()).await.status, 200);
}

#[tokio::test]
async fn results_that_nobody_fetches_are_bounded() {
    let client = limited(|limits| limits.kept_results = 20);
    let (_, model) = client.model().await;
    let mut promises = Vec::new();
    for number in 1..=200 {
        promises.push(client.step(&model, number).await);
    }
    client.done(&promises[199]).await;
    let first = client.fetch(&promises[0]).await;
    assert_eq!(first.status, 410);
    let mut kept = 0;
    for promise in &promises {
        kept += usize::from(client.fetch(promise).await.status == 200);
    }
    assert!(kept <= 20, "{kept}");
}

#[tokio::test]
async fn a_gap_that_is_never_filled_holds_its_room_until_the_session_ends() {
    let client = limited(|limits| limits.queued_operations = 8);
    let (session, model) = client.model().await;
    let (_, other) = client.model().await;
    let mut waiting = Vec::new();
    for number in 2..=9 {
        waiting.push(client.forward_backward(&model, number).await);
    }
    let full = client
        .post("optim_step", crate::support::step_body(&other, 1))
        .await;
    assert_eq!(full.status, 429);
    let end = json!({"reason": {"type": "success"}});
    client
        .post(&format!("sessions/{session}/finish"), end)
        .await;
    for promise in waiting {
        assert_eq!(client.fetch(&promise).await.json()["category"], "user");
    }
    client.done(&client.step(&other, 1).await).await;
}

#[tokio::test]
async fn a_sparse_tensor_of_a_few_bytes_is_no_huge_matrix() {
    let client = crate::support::client();
    let (session, model) = client.model().await;
    let of = |name: &str| json!({ "ref": name });
    let node = |op: &str, name: &str, target: &str, args: serde_json::Value| json!({"op": op, "name": name, "target": target, "args": args, "kwargs": {}});
    let loss = json!({
        "session_id": session, "custom_loss_seq_id": 0, "name": "mine",
        "inputs": [{"name": "logprobs", "rank": 1}, {"name": "other", "rank": 2}],
        "graph": {"format": 1, "nodes": [
            node("placeholder", "logprobs", "logprobs", json!([])),
            node("placeholder", "other", "other", json!([])),
            node("call_method", "sum_1", "sum", json!([of("logprobs")])),
            node("output", "output", "output", json!([{"tuple": [of("sum_1"), {"dict": {}}]}])),
        ]},
    });
    client
        .done(&client.post("create_custom_loss", loss).await.promise())
        .await;
    let huge = TensorData::csr(Elements::Float32([].into()), [0, 0], [], [1, 1 << 46]).unwrap();
    let data = vec![Datum::supervised(&[1, 2], &[3]).with_input("other", huge)];
    let custom = Loss::new(LossFn::Custom).with("loss_id", format!("{session}:loss:0").as_str());
    let reply = client
        .pass(&ForwardBackward::new(
            model.as_str().into(),
            1,
            data,
            custom,
        ))
        .await;
    assert!(
        reply.status == 422 && reply.detail().contains("cells"),
        "{}",
        reply.detail()
    );
    client.done(&client.step(&model, 2).await).await;
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_not_waited_for() {
    let engine = engine(|limits| limits.body_bytes = 1000);
    let body = Full::new(Bytes::from(vec![b' '; 2000]));
    let request = Request::post("http://local/api/v1/create_session")
        .body(body)
        .unwrap();
    let answer = engine.service().call(request).await.unwrap();
    assert_eq!(answer.status(), 413);
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(text.starts_with(b"{"));
}
