//! Refused requests: each leaves the model usable, and null is the same as a missing field.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{BASE, Client, client, limited, sample_body, save_body, step_body};

/// Numbered operations of a model, each with every field that it has.
fn operations(model: &str) -> [(&'static str, Value); 6] {
    let datum = json!({
        "model_input": {"chunks": [{"tokens": [97, 98], "type": "encoded_text"}]},
        "loss_fn_inputs": {"target_tokens": {"data": [98, 99], "dtype": "int64", "shape": [2]}},
    });
    [
        (
            "save_weights",
            json!({"model_id": model, "path": "a", "ttl_seconds": 100, "overwrite": true, "user_metadata": {"k": "v"}}),
        ),
        (
            "save_weights_for_sampler",
            json!({"model_id": model, "path": "a", "sampling_session_seq_id": 3, "kind": "snapshot", "ttl_seconds": 100, "user_metadata": {}}),
        ),
        (
            "save_weights_external",
            json!({"model_id": model, "path": "a", "ttl_seconds": 100, "age_encryption_recipients": null}),
        ),
        (
            "load_weights",
            json!({"model_id": model, "path": "tinker://x:train:0/weights/a", "optimizer": true, "user_metadata": {}}),
        ),
        (
            "optim_step",
            json!({"model_id": model, "adam_params": {"learning_rate": 0.01}}),
        ),
        (
            "forward_backward",
            json!({"model_id": model, "forward_backward_input": {"data": [datum], "loss_fn": "cross_entropy", "loss_fn_config": null}}),
        ),
    ]
}

/// Values that fit few fields.
fn unfit() -> Vec<Value> {
    vec![
        json!(-5),
        json!(0),
        json!(1e300),
        json!("../x"),
        json!([1]),
        json!({"a": [null]}),
        json!(true),
        json!("x".repeat(20_000)),
    ]
}

async fn usable(client: &Client, model: &str, number: u64, after: &str) {
    let probe = tokio::time::timeout(Duration::from_secs(20), client.probe(model, number));
    assert!(probe.await.is_ok(), "blocked after {after}");
}

#[tokio::test]
async fn every_refusal_leaves_the_model_usable() {
    let client = client();
    let (_, model) = client.model().await;
    let (mut number, mut refusals) = (0, 0);
    for (path, body) in operations(&model) {
        let fields = body.as_object().unwrap().keys().cloned();
        for field in fields.filter(|field| field != "model_id") {
            for value in unfit().into_iter().map(Some).chain([None]) {
                number += 1;
                let mut body = body.clone();
                body["seq_id"] = number.into();
                match &value {
                    Some(value) => body[&field] = value.clone(),
                    None => {
                        body.as_object_mut().unwrap().remove(&field);
                    }
                }
                let reply = client.post(path, body).await;
                let after = format!("{path} with {field}: {value:?}, {}", reply.status);
                assert!(
                    matches!(reply.status, 200 | 400 | 404 | 413 | 422),
                    "{after}"
                );
                if reply.status != 200 {
                    assert!(!reply.detail().is_empty(), "{after}");
                    refusals += 1;
                }
                number += 1;
                usable(&client, &model, number, &after).await;
            }
        }
    }
    assert!(refusals > 100, "{refusals}");
}

#[tokio::test]
async fn null_is_the_same_as_a_missing_field() {
    let client = client();
    let (session, model) = client.model().await;
    let sessions = json!({"sdk_version": "0", "tags": null, "user_metadata": null, "project_id": null, "type": null});
    assert_eq!(client.post("create_session", sessions).await.status, 200);
    let creation = json!({
        "session_id": session, "model_seq_id": 1, "base_model": BASE, "user_metadata": null,
        "lora_config": {"rank": 2, "seed": null, "train_mlp": null, "train_attn": null, "train_unembed": null},
        "optimizer_config": null,
    });
    let promise = client.post("create_model", creation).await.promise();
    client.done(&promise).await;

    let mut save = save_body(&model, 1, "a");
    (save["overwrite"], save["ttl_seconds"]) = (json!(null), json!(null));
    let promise = client.post("save_weights", save).await.promise();
    client.done(&promise).await;
    let mut step = step_body(&model, 2);
    step["adam_params"] =
        json!({"learning_rate": 0.01, "beta1": null, "weight_decay": null, "grad_clip_norm": null});
    let promise = client.post("optim_step", step).await.promise();
    client.done(&promise).await;

    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let whole = client
        .post("asample", sample_body(&sampler, 0, 3))
        .await
        .promise();
    let nulls = json!({
        "num_samples": null, "prompt": {"chunks": [{"tokens": [97, 98], "type": null}]},
        "sampling_params": {"max_tokens": 3, "seed": 5, "stop": null, "temperature": null, "top_k": null, "top_p": null},
        "sampling_session_id": sampler, "seq_id": 1, "prompt_logprobs": null, "topk_prompt_logprobs": null,
        "topk_sample_logprobs": null, "prompt_alt_tokens_k": null, "record_stability_info": null, "type": null,
    });
    let mut absent = nulls.clone();
    absent["seq_id"] = 2.into();
    for key in ["num_samples", "prompt_logprobs", "type"] {
        absent.as_object_mut().unwrap().remove(key);
    }
    let drawn = client.sampled(&whole).await.sequences;
    assert_eq!(drawn.len(), 1);
    for body in [nulls, absent] {
        let promise = client.post("asample", body).await.promise();
        assert_eq!(client.sampled(&promise).await.sequences, drawn);
    }
    let required = json!({"session_id": session, "model_seq_id": 2, "base_model": null});
    let refused = client.post("create_model", required).await;
    assert!(
        refused.detail().contains("missing field `base_model`"),
        "{}",
        refused.detail()
    );
}

#[tokio::test]
async fn a_client_learns_soon_which_operation_is_missing() {
    let client = limited(|limits| limits.long_poll = Duration::from_mins(10));
    let (_, model) = client.model().await;
    let parked = client.step(&model, 2).await;
    let poll = client.post("retrieve_future", json!({"request_id": parked}));
    let waiting = tokio::time::timeout(Duration::from_secs(30), poll).await;
    let waiting = waiting.expect("the poll ends long before its limit").json();
    let reason = waiting["queue_state_reason"].as_str().unwrap();
    assert!(
        reason.contains(&format!("operation 1 of {model}")),
        "{reason}"
    );
}
