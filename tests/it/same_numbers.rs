//! Equality of numbers: trainer and sampler, before and after a save, in process and over a socket.

use tinker_client::{AdamParams, Loss, ModelInput};
use tinker_local::LocalEngine;

use crate::support::{END, MODEL, Outcome, Served, data, in_process, lora, tokens};

#[tokio::test]
async fn sampler_and_trainer_give_the_same_logprobs() -> Outcome {
    let service = in_process(&LocalEngine::builtin()?)?;
    let training = service.create_lora_training_client(MODEL, lora()).await?;
    for _ in 0..5 {
        training
            .forward_backward(data(), Loss::cross_entropy())
            .await?;
        training.optim_step(AdamParams::new(5e-3)).await?;
    }
    let trained = training.forward(data(), Loss::cross_entropy()).await?;
    let sampler = training.save_weights_and_get_sampling_client().await?;
    for (index, line) in [
        "sky -> blue",
        "grass -> green",
        "snow -> white",
        "coal -> black",
    ]
    .iter()
    .enumerate()
    {
        let whole = [tokens(line), vec![END]].concat();
        let sampled = sampler
            .compute_logprobs(ModelInput::from_tokens(whole))
            .await?;
        assert_eq!(sampled[0], None);
        let trained = trained.logprobs(index).expect("logprobs");
        assert_eq!(trained.len(), sampled.len() - 1);
        for (trained, sampled) in trained.iter().zip(&sampled[1..]) {
            assert!(
                (trained - sampled.expect("computed")).abs() < 1e-4,
                "{trained} and {sampled:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_goes_on_exactly_where_it_was_saved() -> Outcome {
    let service = in_process(&LocalEngine::builtin()?)?;
    let training = service.create_lora_training_client(MODEL, lora()).await?;
    let step = async |training: &tinker_client::TrainingClient| {
        let output = training
            .forward_backward(data(), Loss::cross_entropy())
            .await?;
        training.optim_step(AdamParams::new(5e-3)).await?;
        Ok::<_, tinker_client::Error>(output)
    };
    for _ in 0..3 {
        step(&training).await?;
    }
    let saved = training.save_state("middle").await?;
    let resumed = service
        .create_training_client_from_state_with_optimizer(&saved)
        .await?;
    for _ in 0..3 {
        // Equal bit for bit: weights, optimizer state and arithmetic are the same.
        assert_eq!(
            step(&training).await?.metrics,
            step(&resumed).await?.metrics
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_socket_changes_nothing() -> Outcome {
    let served = Served::start(LocalEngine::builtin()?).await?;
    let mut losses = Vec::new();
    for service in [in_process(&LocalEngine::builtin()?)?, served.client()?] {
        let training = service.create_lora_training_client(MODEL, lora()).await?;
        training
            .forward_backward(data(), Loss::cross_entropy())
            .await?;
        training.optim_step(AdamParams::new(5e-3)).await?;
        losses.push(training.forward(data(), Loss::cross_entropy()).await?);
    }
    assert_eq!(losses[0], losses[1]);
    served.stop().await
}
