//! Invalid sampling requests: each is refused with the field, and later samples are unaffected.

use serde_json::{Value, json};

use crate::support::{BASE, Client, client, sample_body};

/// A change to one field of a valid request.
fn changed(sampler: &str, number: u64, place: &str, value: Value) -> Value {
    let mut body = sample_body(sampler, number, 8);
    *body.pointer_mut(place).unwrap() = value;
    body
}

async fn drawn(client: &Client, sampler: &str, number: u64) -> tinker_types::SampleResponse {
    let promise = client
        .post("asample", sample_body(sampler, number, 8))
        .await
        .promise();
    client.sampled(&promise).await
}

#[tokio::test]
async fn each_is_refused_and_leaves_no_trace() {
    let client = client();
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let before = drawn(&client, &sampler, 0).await;
    let prompt = |tokens: Value| json!([{"type": "encoded_text", "tokens": tokens}]);
    let tensor =
        |data: Value, shape: Value| json!({"data": data, "dtype": "int64", "shape": shape});
    let chunks = "/prompt/chunks";
    let bad = [
        (chunks, prompt(json!([100_000]))),
        (chunks, prompt(json!([-1]))),
        (chunks, prompt(json!([1.5]))),
        (chunks, prompt(json!([null]))),
        (chunks, prompt(json!([]))),
        (chunks, json!([])),
        (chunks, prompt(vec![1; 65].into())),
        (chunks, prompt(vec![1; 1_000_000].into())),
        (
            chunks,
            json!([{"type": "image", "data": "AA==", "format": "png", "expected_tokens": 1}]),
        ),
        (chunks, json!([{"type": "nonsense"}])),
        ("/num_samples", json!(0)),
        ("/num_samples", json!(4_000_000_000_u64)),
        ("/num_samples", json!(-1)),
        ("/sampling_params/max_tokens", json!(0)),
        ("/sampling_params/max_tokens", json!(-5)),
        ("/sampling_params/temperature", json!(-1.0)),
        ("/sampling_params/temperature", json!(1e300)),
        ("/sampling_params/temperature", json!("nan")),
        ("/sampling_params/top_p", json!(0.0)),
        ("/sampling_params/top_p", json!(1.5)),
        ("/sampling_params/top_k", json!(-7)),
        ("/sampling_params/top_k", json!(1e18)),
        ("/sampling_params/seed", json!(-1)),
        ("/sampling_params/stop", json!([100_000])),
        ("/sampling_params/stop", json!([""])),
        ("/sampling_params/stop", json!(vec!["x"; 1000])),
        ("/topk_prompt_logprobs", json!(1_000_000)),
        ("/topk_sample_logprobs", json!(-1)),
        ("/prompt_alt_tokens_k", json!(1_000_000)),
        ("/sampling_session_id", json!("../x")),
        ("/sampling_session_id", json!(7)),
    ];
    let mut number = 1;
    for (place, value) in bad {
        let reply = client
            .post("asample", changed(&sampler, number, place, value.clone()))
            .await;
        let shown: String = value.to_string().chars().take(80).collect();
        // Only too low temperatures are refused.
        if reply.status == 200 {
            let outcome = client.fetch(&reply.promise()).await;
            assert!(
                place.ends_with("temperature") || place.ends_with("max_tokens"),
                "{place} {shown}"
            );
            assert_eq!(outcome.status, 200, "{place} {shown}");
        } else {
            assert!(
                matches!(reply.status, 400 | 404 | 422),
                "{place} {shown}: {}",
                reply.status
            );
            assert!(reply.detail().len() < 3000, "{place} {shown}");
        }
        number += 1;
    }
    for targets in [
        tensor(json!([100_000]), json!([1, 1])),
        tensor(json!([1]), json!([1, 2])),
        tensor(json!([1, 2]), json!([2, 1])),
        tensor(json!([]), json!([1, 0])),
        tensor(json!([]), json!([0, 18_446_744_073_709_551_615_u64])),
        json!({"data": [], "dtype": "int64", "shape": [18_446_744_073_709_551_615_u64, 1],
               "sparse_crow_indices": [0], "sparse_col_indices": []}),
        json!({"data": [1], "dtype": "int64", "shape": [1, 9], "sparse_crow_indices": [0, 2], "sparse_col_indices": [3]}),
        json!({"data": [1], "dtype": "int64", "shape": [1, 9], "sparse_crow_indices": [0, 1], "sparse_col_indices": [9]}),
        json!({"data": [1], "dtype": "int64", "shape": [1, 9], "sparse_crow_indices": [-1, 1], "sparse_col_indices": [0]}),
        json!({"data": [1e300], "dtype": "int64"}),
    ] {
        let mut body = sample_body(&sampler, number, 8);
        body["target_prompt_logprobs"] = targets.clone();
        let reply = client.post("asample", body).await;
        assert_eq!(reply.status, 422, "{targets}");
        number += 1;
    }
    let after = drawn(&client, &sampler, number).await;
    assert_eq!(before.sequences[0].tokens, after.sequences[0].tokens);
    assert_eq!(before.sequences[0].logprobs, after.sequences[0].logprobs);
}
