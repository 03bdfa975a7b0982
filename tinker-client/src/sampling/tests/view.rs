//! Answers that are read in place.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_view_has_the_values_of_the_response_and_the_names_of_its_sequences() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    let response = client.sample(prompt(), params()).await.unwrap();
    let view = assert_small(client.sample_view(prompt(), params()), 128)
        .await
        .unwrap();
    let sequence = &view.sequences[0];
    assert_eq!(sequence.stop_reason, response.sequences[0].stop_reason);
    assert_eq!(sequence.sequence_id.as_ref().unwrap().as_str(), "seq-1-0");
    // The server draws the number of the sample.
    assert_eq!(
        (sequence.tokens.len(), sequence.tokens.get(0)),
        (1, Some(1))
    );
    let header = server.seen_at("asample")[1]
        .header("x-sdk-method")
        .map(str::to_owned);
    assert_eq!(header.as_deref(), Some("SamplingClient.sample"));
}

#[tokio::test(start_paused = true)]
async fn a_view_of_an_answer_in_json_has_its_values_too() {
    let server = FakeServer::new();
    let client = server.sampling().await;
    server.on("retrieve_future", |_| {
        Some(Reply::json(json!({
            "type": "sample",
            "sequences": [{"stop_reason": "length", "tokens": [7, 8], "logprobs": [-0.5, -1.5]}],
            "prompt_logprobs": [-0.25, -2.0],
        })))
    });
    let view = client.sample_view(prompt(), params()).await.unwrap();
    let sequence = &view.sequences[0];
    assert_eq!(sequence.tokens.as_slice(), Some(&[7, 8][..]));
    let logprobs = sequence.logprobs.as_ref().unwrap();
    assert_eq!(logprobs.iter().sum::<f32>().to_bits(), (-2.0_f32).to_bits());
    // The first token of the prompt has none.
    let prompt = view.prompt.prompt_logprobs.unwrap();
    assert_eq!(prompt, [None, Some(-0.25), Some(-2.0)]);
}
