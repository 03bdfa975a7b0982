//! Malformed and hostile input, which must leave no trace.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tinker_types::proto::{CONTENT_TYPE as PROTOBUF, encode_request};
use tinker_types::{Datum, ForwardBackward, Loss, ModelInput};

use crate::support::{Client, client, request, save_body, step_body};

/// A body with a valid head that is broken after it.
fn broken(model: &str, number: u8, rest: &[u8]) -> Bytes {
    let mut body = vec![0x0a, model.len() as u8];
    body.extend_from_slice(model.as_bytes());
    body.extend_from_slice(&[0x10, number]);
    body.extend_from_slice(rest);
    body.into()
}

/// Sends all bad requests as operations from 10 on, and returns the next number.
async fn attack(client: &Client, model: &str) -> u64 {
    let protobuf = [("content-type", PROTOBUF)];
    let post = |headers: Vec<(&'static str, &'static str)>, body: Bytes| async move {
        client
            .send(Method::POST, "forward_backward", &headers, body)
            .await
            .status
    };
    let good = encode_request(&request(model, 99)).unwrap();

    // Bodies without any valid part.
    assert_eq!(
        post(protobuf.to_vec(), Bytes::from_static(b"\xff\xff\xff")).await,
        400
    );
    assert_eq!(
        post(protobuf.to_vec(), good.slice(..good.len() - 3)).await,
        400
    );
    assert_eq!(post(protobuf.to_vec(), Bytes::new()).await, 422);
    assert_eq!(
        post(vec![("content-type", "text/plain")], good.clone()).await,
        415
    );
    assert_eq!(post(vec![], good.clone()).await, 415);
    assert_eq!(
        post(vec![("content-type", "application/json")], good.clone()).await,
        400
    );
    let encoded = |encoding| vec![("content-type", PROTOBUF), ("content-encoding", encoding)];
    assert_eq!(post(encoded("gzip"), good.clone()).await, 415);
    assert_eq!(post(encoded("zstd"), good.clone()).await, 400);
    let bomb = zstd::encode_all(&vec![0; 1 << 28][..], 1).unwrap();
    assert!(bomb.len() < 1 << 16);
    assert_eq!(post(encoded("zstd"), bomb.into()).await, 413);

    // The head is valid, so the number counts as used. A tensor of half an element; a list of millions of empty data.
    assert_eq!(
        post(
            protobuf.to_vec(),
            broken(model, 10, &[0x1a, 7, 0x12, 5, 0x12, 3, 0x0a, 1, 0])
        )
        .await,
        422
    );
    let many: Vec<u8> = [0x1a, 0].repeat(5_000_000);
    assert_eq!(post(protobuf.to_vec(), broken(model, 11, &many)).await, 422);
    let long = Datum::new(ModelInput::from_tokens(vec![1; 1_000_000]));
    let mut number = 12;
    for datum in [
        long,
        Datum::default(),
        Datum::supervised(&[1, 2], &[400]),
        Datum::supervised(&[1, 2], &[3]).with_input("weights", vec![f32::NAN, f32::INFINITY]),
        Datum::supervised(&[1, 2], &[3]).with_input("target_tokens", vec![i64::MIN, i64::MAX]),
        Datum::supervised(&[1, 2], &[3]).with_input("target_tokens", vec![0_i64; 0]),
    ] {
        // A good datum before the bad one must not be trained on either.
        let data = vec![Datum::supervised(&[1], &[2]), datum];
        let pass = ForwardBackward::new(model.into(), number, data, Loss::cross_entropy());
        assert_eq!(client.pass(&pass).await.status, 422);
        number += 1;
    }

    // JSON.
    for text in [
        "",
        "{",
        "null",
        "[]",
        "\"x\"",
        "{\"model_id\":1}",
        "\u{feff}{}",
    ] {
        let reply = client
            .send(Method::POST, "optim_step", &[], text.to_owned())
            .await;
        assert!(matches!(reply.status, 400 | 422), "{text}");
    }
    for path in [
        "create_model",
        "asample",
        "create_session",
        "retrieve_future",
        "telemetry",
    ] {
        let deep = format!(r#"{{"user_metadata":{{"a":{}}}}}"#, "[".repeat(200_000));
        let status = client.send(Method::POST, path, &[], deep).await.status;
        assert!(
            matches!(status, 400 | 422) || path == "telemetry",
            "{path}: {status}"
        );
    }
    for learning_rate in ["1e999", "-1", "\"x\"", "null", "NaN"] {
        let text = step_body(model, number)
            .to_string()
            .replace("0.01", learning_rate);
        let reply = client.send(Method::POST, "optim_step", &[], text).await;
        assert!(matches!(reply.status, 400 | 422), "{learning_rate}");
    }
    let reply = client
        .post(
            "optim_step",
            json!({"model_id": model, "seq_id": number, "adam_params": {"beta1": 1.5}}),
        )
        .await;
    assert_eq!(reply.status, 422);
    number += 1;
    for seq_id in [
        json!(-1),
        json!(1e300),
        json!("1"),
        json!(18_446_744_073_709_551_616.0),
    ] {
        let mut body = step_body(model, 1);
        body["seq_id"] = seq_id;
        assert_eq!(client.post("optim_step", body).await.status, 422);
    }

    // Names and paths.
    for name in [
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "",
        ".",
        "a\0b",
        &"x".repeat(5000),
    ] {
        let reply = client
            .post("save_weights", save_body(model, number, name))
            .await;
        assert_eq!(reply.status, 422, "{name}");
        number += 1;
    }
    for path in [
        "tinker://../weights/../../etc",
        "tinker://a/weights/..",
        "tinker://%2e%2e/weights/a",
        "file:///etc/passwd",
        "",
    ] {
        let load = json!({"model_id": model, "seq_id": number, "path": path, "optimizer": false});
        let reply = client.post("load_weights", load).await;
        if reply.status == 200 {
            let failed = client.fetch(&reply.promise()).await.json();
            assert_eq!(failed["category"], "user", "{path}");
        } else {
            assert_eq!(reply.status, 422, "{path}");
        }
        number += 1;
    }
    for path in [
        "../../etc/passwd",
        "sessions/%2e%2e%2f/finish",
        "samplers/%00",
        &"x/".repeat(10_000),
    ] {
        let reply = client.send(Method::POST, path, &[], "{}").await;
        assert!(
            matches!(reply.status, 404 | 405 | 422),
            "{path}: {}",
            reply.status
        );
    }
    number
}

#[tokio::test]
async fn nothing_bad_leaves_a_trace() {
    let (attacked, spared) = (client(), client());
    let mut ends = Vec::new();
    for (client, is_attacked) in [(&attacked, true), (&spared, false)] {
        let (_, model) = client.model().await;
        // Gradients are gathered before the attack and used after it.
        for number in 1..=9 {
            client
                .output(&client.forward_backward(&model, number).await)
                .await;
        }
        let next = if is_attacked {
            attack(client, &model).await
        } else {
            10
        };
        client.forward_backward(&model, next).await;
        let step: Value = client.done(&client.step(&model, next + 1).await).await;
        ends.push((step, client.probe(&model, next + 2).await));
    }
    assert_eq!(ends[0], ends[1]);
}

#[tokio::test]
async fn unknown_fields_and_headers_are_ignored() {
    let client = client();
    let headers = [
        ("x-api-key", "anything"),
        ("x-stainless-os", "Plan 9"),
        ("x-tinker-request-type", "Nonsense"),
    ];
    let body = json!({"sdk_version": "9", "tags": [], "user_metadata": {}, "new": {"deep": [1]}, "type": "create_session"});
    let reply = client
        .send(Method::POST, "create_session", &headers, body.to_string())
        .await;
    assert_eq!(reply.status, 200);
    let missing = client
        .send(Method::POST, "nonsense/endpoint", &headers, "{}")
        .await;
    assert!(
        missing.status == 404 && missing.detail().contains("/api/v1/nonsense/endpoint"),
        "{}",
        missing.detail()
    );
}
