//! Two tenants of one engine: each API key sees its own sessions, runs and checkpoints.

use std::error::Error;

use tinker_client::{Config, ListOptions, LoraConfig, ServiceClient};
use tinker_local::LocalEngine;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builder()
        .api_key("tml-alice")
        .api_key("tml-bob")
        .build()?;
    // Each client has its own session, limits and pauses: throttling of one does not slow the other.
    let client = |key: &str| {
        let config = Config::new("http://in-process").with_api_key(key);
        ServiceClient::builder()
            .config(config)
            .leaf(engine.service())
            .build()
    };
    let (alice, bob) = (client("tml-alice")?, client("tml-bob")?);

    let lora = LoraConfig::new(4);
    let training = alice
        .create_lora_training_client("tinker-local/tiny", lora)
        .await?;
    let saved = training.save_state("mine").await?;

    let count = async |service: &ServiceClient| {
        let listed = service
            .checkpoints()
            .list(ListOptions::default())
            .all()
            .await;
        listed.map(|listed| listed.len())
    };
    assert_eq!((count(&alice).await?, count(&bob).await?), (1, 0));
    let refused = bob.create_training_client_from_state(&saved).await;
    let refused = refused.err().ok_or("the checkpoint is Alice's")?;
    assert!(
        refused.is_user_error() && refused.to_string().contains("no checkpoint"),
        "{refused}"
    );

    // A published checkpoint can be read by all tenants, and changed by its owner.
    alice.checkpoints().publish(&saved.path).await?;
    bob.create_training_client_from_state(&saved).await?;
    assert!(bob.checkpoints().delete(&saved.path).await.is_err());

    let stranger = client("tml-mallory")?.check_access().await;
    let stranger = stranger.err().ok_or("the key is not accepted")?;
    assert!(
        stranger.is_user_error() && !stranger.is_retryable(),
        "{stranger}"
    );
    Ok(())
}
