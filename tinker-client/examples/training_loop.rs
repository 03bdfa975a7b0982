//! A training loop with an evaluation, a checkpoint and its continuation, in an engine of this process.

use std::error::Error;
use std::sync::Arc;

use tinker_client::{AdamParams, Datum, LoraConfig, Loss, SamplingParams, ServiceClient};
use tinker_client::{FinishReason, TrainingClient};
use tinker_local::LocalEngine;

/// The built-in model reads bytes, and this token ends a text.
const END: u32 = 256;

fn tokens(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

fn pair(prompt: &str, answer: &str) -> Datum {
    let answer = [tokens(answer), vec![END]].concat();
    Datum::supervised(&tokens(prompt), &answer)
}

/// Mean loss of a token, in nats. Changes nothing.
async fn evaluate(training: &TrainingClient, data: &Arc<[Datum]>) -> Result<f64, Box<dyn Error>> {
    let pass = training.forward(Arc::clone(data), Loss::cross_entropy());
    let output = pass.await?;
    Ok(output.mean_loss(data).ok_or("the server reports no loss")?)
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let lora = LoraConfig::new(16);
    let creation = service.create_lora_training_client("tinker-local/tiny", lora);
    let training = creation.await?;
    let data: Arc<[Datum]> = [pair("sky ->", " blue"), pair("grass ->", " green")].into();

    let before = evaluate(&training, &data).await?;
    for _ in 0..20 {
        let adam = AdamParams::new(5e-3);
        // A pass and its optimizer step, both in flight at once.
        let step = training.train_step(Arc::clone(&data), Loss::cross_entropy(), adam);
        step.await?;
    }
    let after = evaluate(&training, &data).await?;
    assert!(after < 0.1 * before, "{before} {after}");

    // A checkpoint with the state of the optimizer, and a training client that continues from it.
    let saved = training.save_state("step-20").await?;
    let continued = service.create_training_client_from_state_with_optimizer(&saved);
    let continued = continued.await?;
    assert!((evaluate(&continued, &data).await? - after).abs() < 1e-6);

    let sampler = continued.save_weights_and_get_sampling_client().await?;
    let greedy = SamplingParams::default().with_temperature(0.0);
    let answer = sampler.sample(tokens("grass ->"), greedy).await?;
    let green = [tokens(" green"), vec![END]].concat();
    assert_eq!(answer.sequences[0].tokens, green);
    Ok(service.close(FinishReason::Success).await?)
}
