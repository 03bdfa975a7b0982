//! Common setup of doc examples.

/// The hidden first lines of an example on the embedded engine: `setup!(service)`, `setup!(training)`,
/// `setup!(sampling)`. The example ends with `# Ok(())`, `# }` and the fence.
macro_rules! setup {
    (service) => {
        "```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let engine = tinker_local::LocalEngine::builtin()?;
# let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;"
    };
    (training) => {
        concat!(
            setup!(service),
            "
# let lora = tinker_client::LoraConfig::new(4);
# let training = service.create_lora_training_client(\"tinker-local/tiny\", lora).await?;"
        )
    };
    (sampling) => {
        concat!(
            setup!(service),
            "
# let sampling = service.create_sampling_client(\"tinker-local/tiny\").await?;"
        )
    };
}
