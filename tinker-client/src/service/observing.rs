//! Watching what a service does.

use super::ServiceClient;
use crate::observe::ClientObservers;

impl ServiceClient {
    /// Writes what happens to `tracing` from now on: calls, retries, why work waits, what is stuck.
    /// See [`Logger`](crate::Logger) for the levels.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tinker_client::ServiceClient;
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = ServiceClient::builder().leaf(engine.service()).build()?;
    /// service.attach_logger();
    /// service.get_server_capabilities().await?; // INFO answered operation="get_server_capabilities" ...
    /// # Ok(())
    /// # }
    /// ```
    pub fn attach_logger(&self) {
        self.observers().attach_logger();
    }

    /// The observers of this service's requests and operations: attach your own
    /// [`ClientObserver`](crate::ClientObserver) or [`Metrics`](crate::Metrics), now or while work is under way.
    ///
    /// With a [finished transport](crate::ServiceClientBuilder::transport) only the events about work come
    /// here; those about requests go to its own observers.
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
        self.core.news().observers()
    }
}
