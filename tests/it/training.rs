//! The training loop: gradients, steps, a sampler, the learned answers.

use tinker_client::{AdamParams, FinishReason, Loss, ServiceClient};
use tinker_local::LocalEngine;

use crate::support::{MODEL, Outcome, Served, data, greedy, in_process, lora, prompt, text};

async fn learns(service: ServiceClient) -> Outcome {
    let models = service.server_capabilities().await?.supported_models;
    assert_eq!(models[0].model_name.as_deref(), Some(MODEL));

    let training = service.create_lora_training_client(MODEL, lora()).await?;
    let mut losses = Vec::new();
    for _ in 0..30 {
        let gradients = training.forward_backward(data(), Loss::cross_entropy());
        let step = training.optim_step(AdamParams::new(5e-3));
        losses.push(gradients.await?.loss_sum().expect("a loss"));
        step.await?;
    }
    assert!(losses[29] < 0.05 * losses[0], "{losses:?}");

    let sampler = training.save_weights_and_get_sampling_client().await?;
    let answer = sampler.sample(prompt("grass ->"), greedy()).await?;
    assert_eq!(text(&answer.sequences[0].tokens), " green");
    service.close(FinishReason::Success).await?;
    Ok(())
}

#[tokio::test]
async fn a_model_learns_in_process() -> Outcome {
    learns(in_process(&LocalEngine::builtin()?)?).await
}

#[tokio::test]
async fn a_model_learns_over_a_socket() -> Outcome {
    let served = Served::start(LocalEngine::builtin()?).await?;
    learns(served.client()?).await?;
    served.stop().await
}
