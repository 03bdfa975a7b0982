//! A model to train on an embedded engine, for tests.

use tinker_client::{LoraConfig, ServiceClient, TrainingClient};
use tinker_local::LocalEngine;

/// A service of the engine.
pub(crate) fn service(engine: &LocalEngine) -> ServiceClient {
    let service = ServiceClient::builder().leaf(engine.service());
    service.build().unwrap()
}

/// A new adapter of the built-in model.
pub(crate) async fn training(service: &ServiceClient) -> TrainingClient {
    let lora = LoraConfig::new(1);
    let training = service.create_lora_training_client("tinker-local/tiny", lora);
    training.await.unwrap()
}
