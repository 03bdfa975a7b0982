//! Metrics of all calls in the text format of Prometheus.

use std::error::Error;
use std::sync::Arc;

use tinker_client::{AdamParams, Datum, LoraConfig, Loss, Metrics, ServiceClient};
use tinker_local::LocalEngine;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    // One set of metrics can observe any number of clients.
    let metrics = Metrics::new();
    service.observers().attach(Arc::new(metrics.clone()));

    let creation = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4));
    let training = creation.await?;
    let data = vec![Datum::supervised(&[104, 105], &[33])];
    for _ in 0..3 {
        let (loss, adam) = (Loss::cross_entropy(), AdamParams::new(1e-3));
        training.train_step(data.clone(), loss, adam).await?;
    }

    // The answer of the route /metrics of your program.
    let text = metrics.snapshot().prometheus().to_string();
    let line = text
        .lines()
        .find(|line| line.contains("operation=\"optim_step\""));
    assert!(line.is_some(), "{text}");
    Ok(())
}
