//! Checkpoints: save, list, continue, sample from, download as a PEFT folder, give a life, delete.

use std::error::Error;
use std::time::Duration;

use tinker_client::{
    AdamParams, Datum, DownloadOptions, ListOptions, LoraConfig, Loss, SamplingParams,
    ServiceClient,
};
use tinker_local::LocalEngine;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let creation = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4));
    let training = creation.await?;
    let data = vec![Datum::supervised(&[104, 105], &[33])];
    let (loss, adam) = (Loss::cross_entropy(), AdamParams::new(1e-3));
    training.train_step(data.clone(), loss, adam).await?;

    // With the state of the optimizer, to continue from.
    let saved = training.save_state("after-1").await?;
    let again = service.create_training_client_from_state_with_optimizer(&saved);
    let loss = Loss::cross_entropy();
    again.await?.train_step(data, loss, adam).await?;

    // Weights alone, to sample from.
    let path = training.save_weights_for_sampler("for-sampling").await?;
    let sampler = service.create_sampling_client(&path).await?;
    let params = SamplingParams::default().with_max_tokens(2);
    sampler.sample([104, 105], params).await?;

    let checkpoints = service.checkpoints();
    checkpoints
        .set_ttl(&saved.path, Some(Duration::from_hours(24)))
        .await?;
    // Pages are fetched as they are read.
    let listed = checkpoints.list(ListOptions::default()).all().await?;
    assert_eq!(listed.len(), 2);

    // The files that peft, vLLM and SGLang read.
    let folder = tempfile::tempdir()?;
    let options = DownloadOptions::default().with_parallel(2);
    let target = folder.path().join("adapter");
    let downloaded = checkpoints.download(&path, &target, options).await?;
    let config = "adapter_config.json".to_owned();
    assert!(downloaded.files.contains(&config));

    checkpoints.delete(&path).await?;
    let left = checkpoints.list(ListOptions::default()).all().await?;
    assert_eq!(left.len(), 1);
    Ok(())
}
