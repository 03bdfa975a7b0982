//! Observers of a service.

use super::client::ServiceClient;
use crate::observe::observer::ClientObservers;

impl ServiceClient {
    /// Writes the events of this service to `tracing` from now on: calls, retries, waiting and stuck operations. See
    /// [`Logger`](crate::Logger) for the levels.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tinker_client::ServiceClient;
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = ServiceClient::builder().leaf(engine.service()).build()?;
    /// service.attach_logger();
    /// service.server_capabilities().await?; // INFO answered operation="get_server_capabilities" ...
    /// # Ok(())
    /// # }
    /// ```
    pub fn attach_logger(&self) {
        self.observers().attach_logger();
    }

    /// The observers of this service's requests and operations: attach your own
    /// [`ClientObserver`](crate::ClientObserver) or [`Metrics`](crate::Metrics), at any time.
    ///
    /// With a [finished transport](crate::ServiceClientBuilder::transport) only the events of operations are
    /// reported here; HTTP events go to the observers of the transport.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use tinker_client::{ClientEvent, LoraConfig, Metrics, ServiceClient};
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = ServiceClient::builder().leaf(engine.service()).build()?;
    /// let metrics = Metrics::new();
    /// service.observers().attach(Arc::new(metrics.clone()));
    /// service.observers().attach(Arc::new(|event: &ClientEvent<'_>| {
    ///     if let ClientEvent::Promise { operation, id, step, elapsed, .. } = event {
    ///         println!("{operation} {id} {} after {elapsed:?}", step.name());
    ///     }
    /// }));
    /// service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4)).await?;
    /// println!("{:?}", metrics.snapshot());
    /// # Ok(())
    /// # }
    /// ```
    pub fn observers(&self) -> &ClientObservers {
        self.state.events().observers()
    }
}
