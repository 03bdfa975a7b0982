//! Log probabilities of prompts.

use serde_json::{Value, json};
use tinker_types::{Elements, SampleResponse};

use crate::support::{BASE, Client, client, sample_body};

async fn sample(client: &Client, sampler: &str, number: u64, change: Value) -> SampleResponse {
    let mut body = sample_body(sampler, number, 1);
    body["prompt"] = json!({"chunks": [{"tokens": [97, 98, 99, 100], "type": "encoded_text"}]});
    body.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    client
        .sampled(&client.post("asample", body).await.promise())
        .await
}

#[tokio::test]
async fn named_tokens_alternatives_and_the_last_positions() {
    let client = client();
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let plain = sample(&client, &sampler, 0, json!({"prompt_logprobs": true})).await;
    let logprobs = plain.prompt_logprobs.unwrap();

    // With the tokens of the prompt as targets, the values are its log probabilities.
    let dense = json!({"data": [98, -1, 99, 5, -1, 100], "dtype": "int64", "shape": [3, 2]});
    let answer = sample(
        &client,
        &sampler,
        1,
        json!({"target_prompt_logprobs": dense}),
    )
    .await;
    let given = answer.target_prompt_logprobs.unwrap();
    let given = given.as_f32().unwrap();
    assert_eq!([given[0], given[2], given[5]].map(Some), logprobs[1..]);
    assert!(given[1] == 0.0 && given[4] == 0.0 && given[3] < 0.0);
    let sparse = json!({
        "data": [99, 5], "dtype": "int64", "shape": [3, 1000], "sparse_crow_indices": [0, 0, 2, 2],
        "sparse_col_indices": [7, 999],
    });
    let answer = sample(
        &client,
        &sampler,
        2,
        json!({"target_prompt_logprobs": sparse}),
    )
    .await;
    let named = answer.target_prompt_logprobs.unwrap();
    assert_eq!(
        named.csr_indices(),
        Some((&[0, 0, 2, 2][..], &[7, 999][..]))
    );
    assert_eq!(
        named.elements(),
        &Elements::Float32([given[2], given[3]].into())
    );

    let answer = sample(&client, &sampler, 3, json!({"prompt_alt_tokens_k": 5})).await;
    let drawn = answer.prompt_alt_tokens.unwrap();
    assert_eq!(
        (drawn.tokens.shape(), drawn.logprobs.shape()),
        (Some(&[3, 5][..]), Some(&[3, 5][..]))
    );
    assert!(drawn.logprobs.as_f32().unwrap().iter().all(|lp| *lp < 0.0));

    let change =
        json!({"prompt_logprobs": true, "prompt_logprobs_last_n": 2, "topk_prompt_logprobs": 1});
    let last = sample(&client, &sampler, 4, change).await;
    assert_eq!(
        last.prompt_logprobs.unwrap(),
        [None, None, logprobs[2], logprobs[3]]
    );
    let rows: Vec<bool> = last
        .topk_prompt_logprobs
        .unwrap()
        .iter()
        .map(Option::is_some)
        .collect();
    assert_eq!(rows, [false, false, true, true]);
}
