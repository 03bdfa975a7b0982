//! A test of one's own loop: scripted answers and failures, and what the loop sent.

use std::error::Error;

use tinker_client::testing::{Failure, MockServer};
use tinker_client::types::{OptimStep, SampleRequest};
use tinker_client::{
    AdamParams, Datum, LoraConfig, Loss, SampleResponse, SampledSequence, SamplingParams,
    ServiceClient, StopReason,
};

/// The loop under test: learns samples that are long enough, one step for each.
async fn learn_long_answers(
    service: &ServiceClient,
    tries: usize,
) -> Result<usize, Box<dyn Error>> {
    let training = service
        .create_lora_training_client("mock", LoraConfig::new(4))
        .await?;
    let sampler = training.save_weights_and_get_sampling_client().await?;
    let mut steps = 0;
    for _ in 0..tries {
        let answer = sampler.sample([1, 2], SamplingParams::default()).await?;
        let tokens = &answer.sequences[0].tokens;
        if tokens.len() >= 3 {
            let data = vec![Datum::supervised(&[1, 2], tokens)];
            training
                .train_step(data, Loss::cross_entropy(), AdamParams::new(1e-3))
                .await?;
            steps += 1;
        }
    }
    Ok(steps)
}

fn answer(tokens: Vec<u32>) -> SampleResponse {
    let mut response = SampleResponse::default();
    response.sequences = vec![SampledSequence::new(StopReason::Stop, tokens)];
    response
}

// Paused time: the waits of retries are real and take no time.
#[tokio::main(flavor = "current_thread", start_paused = true)]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let server = MockServer::new();
    let seen = server.clone();
    server.answer::<SampleRequest>(move |_| {
        // The second answer is too short.
        let number = seen.received::<SampleRequest>().len();
        answer(vec![7; if number == 2 { 1 } else { 3 }])
    });
    let steps = learn_long_answers(&server.service()?, 3).await?;
    assert_eq!(steps, 2);
    let sent = server.received::<OptimStep>();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].body["adam_params"]["learning_rate"], 1e-3);

    // A lost connection is retried; a refusal ends the loop after one request.
    server.fail::<OptimStep>(Failure::Unreachable);
    server.fail::<OptimStep>(Failure::Status(
        422,
        "the learning rate is negative".to_owned(),
    ));
    let error = learn_long_answers(&server.service()?, 1).await;
    let error = error
        .err()
        .ok_or("the second attempt was refused")?
        .to_string();
    assert!(error.contains("the learning rate is negative"), "{error}");
    assert_eq!(server.received::<OptimStep>().len(), 4);
    Ok(())
}
