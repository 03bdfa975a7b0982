//! Restart of a server in the middle of a run: checkpoints survive, and the client gets an error instead of a hang.

use std::time::Duration;

use tinker_client::{AdamParams, Loss};
use tinker_local::LocalEngine;
use tokio::time::timeout;

use crate::support::{MODEL, Outcome, Served, data, lora};

#[tokio::test]
async fn checkpoints_outlive_the_server_and_the_client_is_told() -> Outcome {
    let folder = tempfile::tempdir()?;
    let open = || LocalEngine::builder().data_dir(folder.path()).build();

    let served = Served::start(open()?).await?;
    let service = served.client()?;
    let training = service.create_lora_training_client(MODEL, lora()).await?;
    training
        .forward_backward(data(), Loss::cross_entropy())
        .await?;
    training.optim_step(AdamParams::new(5e-3)).await?;
    let saved = training.save_state("kept").await?;
    let loss = training.forward(data(), Loss::cross_entropy()).await?;

    let address = served.url.trim_start_matches("http://").to_owned();
    served.stop().await?;
    let served = Served::start_at(open()?, &address).await?;

    // The model was in the server's memory and is lost; the client returns an error soon.
    let refused = timeout(
        Duration::from_secs(30),
        training.forward(data(), Loss::cross_entropy()),
    )
    .await?;
    let text = refused.expect_err("the model is gone").to_string();
    assert!(text.contains(training.model_id().as_str()), "{text}");

    let resumed = served
        .client()?
        .create_training_client_from_state(&saved)
        .await?;
    assert_eq!(resumed.forward(data(), Loss::cross_entropy()).await?, loss);
    served.stop().await
}
