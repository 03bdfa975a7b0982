//! Watching what a service does.

use tinker_transport::Observers;

use super::ServiceClient;

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

    /// Those who are told what happens to every request and all work of this service: attach your own
    /// [`Observer`](crate::Observer) or [`Metrics`](crate::Metrics), now or while work is under way.
    ///
    /// With a [finished transport](crate::ServiceClientBuilder::transport) only the events about work come
    /// here; those about requests go to its own observers.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use tinker_client::{Event, LoraConfig, Metrics, ServiceClient};
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = ServiceClient::builder().leaf(engine.service()).build()?;
    /// let metrics = Metrics::new();
    /// service.observers().attach(Arc::new(metrics.clone()));
    /// service.observers().attach(Arc::new(|event: &Event<'_>| {
    ///     if let Event::Promise(work) = event {
    ///         println!("{} {} {} after {:?}", work.operation, work.id, work.step.name(), work.elapsed);
    ///     }
    /// }));
    /// service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4)).await?;
    /// println!("{:?}", metrics.snapshot());
    /// # Ok(())
    /// # }
    /// ```
    pub fn observers(&self) -> &Observers {
        self.core.news().observers()
    }
}
