//! Hand-over of an adapter from one engine to another by upload.

use std::collections::BTreeMap;

use tinker_client::{AdamParams, DownloadOptions, FinishReason, Loss, SamplingParams};
use tinker_local::LocalEngine;

use crate::support::{MODEL, Outcome, Served, data, in_process, lora, prompt};

#[tokio::test]
async fn a_run_goes_on_elsewhere_with_the_same_numbers() -> Outcome {
    let here = in_process(&LocalEngine::builtin()?)?;
    let training = here.create_lora_training_client(MODEL, lora()).await?;
    for _ in 0..3 {
        let gradients = training.forward_backward(data(), Loss::cross_entropy());
        let step = training.optim_step(AdamParams::new(5e-3));
        gradients.await?;
        step.await?;
    }
    let before = training.forward(data(), Loss::cross_entropy()).await?;
    let saved = training.save_weights_external("out").await?.path;
    let folder = tempfile::tempdir()?;
    let target = folder.path().join("out");
    let files = here.checkpoints();
    let files = files.download(&saved, &target, DownloadOptions::default());
    let mut contents = BTreeMap::new();
    for name in files.await?.files {
        let bytes = std::fs::read(target.join(&name))?;
        contents.insert(name, bytes.into());
    }

    let served = Served::start(LocalEngine::builtin()?).await?;
    let there = served.client()?;
    let checkpoints = there.checkpoints();
    let mut incomplete = contents.clone();
    incomplete.remove("adapter_config.json");
    let refused = checkpoints.upload(MODEL, lora(), incomplete).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("\"adapter_config.json\""), "{refused}");
    let path = checkpoints.upload(MODEL, lora(), contents).await?;
    let resumed = there.create_training_client_from_state(&path).await?;
    let after = resumed.forward(data(), Loss::cross_entropy()).await?;
    assert_eq!(before.loss_fn_outputs, after.loss_fn_outputs);
    let sampler = there.create_sampling_client(path.to_string()).await?;
    let params = SamplingParams::default().with_max_tokens(3);
    let answer = sampler.sample(prompt("grass ->"), params).await?;
    assert_eq!(answer.sequences.len(), 1);
    there.close(FinishReason::Success).await?;
    served.stop().await
}
