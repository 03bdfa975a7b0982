//! A test of a training loop: scripted answers and failures, and what the loop sent.

use std::error::Error;

use tinker_client::testing::{Failure, MockServer};
use tinker_client::types::{OptimStep, SampleRequest};
use tinker_client::{
    AdamParams, Datum, LoraConfig, Loss, SampleResponse, SampledSequence, SamplingParams,
    ServiceClient, StopReason,
};

/// The loop under test: learns samples that are long enough, one step for each.
async fn learn(service: &ServiceClient, tries: usize) -> Result<usize, Box<dyn Error>> {
    let lora = LoraConfig::new(4);
    let training = service.create_lora_training_client("mock", lora).await?;
    let sampler = training.save_weights_and_get_sampling_client().await?;
    let mut steps = 0;
    for _ in 0..tries {
        let answer = sampler.sample([1, 2], SamplingParams::default()).await?;
        let tokens = &answer.sequences[0].tokens;
        if tokens.len() >= 3 {
            let (data, adam) = (
                vec![Datum::supervised(&[1, 2], tokens)],
                AdamParams::new(1e-3),
            );
            let step = training.train_step(data, Loss::cross_entropy(), adam);
            step.await?;
            steps += 1;
        }
    }
    Ok(steps)
}

// Paused time: the waits of retries are real and take no time.
#[tokio::main(flavor = "current_thread", start_paused = true)]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let server = MockServer::new();
    let seen = server.clone();
    server.answer::<SampleRequest>(move |_| {
        // The second answer is too short.
        let is_second = seen.received::<SampleRequest>().len() == 2;
        let tokens = vec![7; if is_second { 1 } else { 3 }];
        SampleResponse::new(vec![SampledSequence::new(StopReason::Stop, tokens)])
    });
    assert_eq!(learn(&server.service()?, 3).await?, 2);
    let sent = server.received::<OptimStep>();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].body["adam_params"]["learning_rate"], 1e-3);

    // A lost connection is retried; a refusal ends the loop after one request.
    server.fail::<OptimStep>(Failure::Unreachable);
    let refusal = Failure::Status(422, "the rate is negative".to_owned());
    server.fail::<OptimStep>(refusal);
    let ended = learn(&server.service()?, 1).await;
    let error = ended.err().ok_or("a step was refused")?.to_string();
    assert!(error.contains("the rate is negative"), "{error}");
    assert_eq!(server.received::<OptimStep>().len(), 4);
    Ok(())
}
