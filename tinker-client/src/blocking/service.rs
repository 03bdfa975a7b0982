//! The blocking entry point.

use tinker_types::{FinishReason, ServerCapabilities};

use super::runtime::SharedRuntime;
use super::sampling::SamplingClient;
use super::training::TrainingClient;
use crate::error::Error;
use crate::{Config, LoadOptions, SamplingSource, ServiceClientBuilder, TrainingOptions};

/// A [`ServiceClient`](crate::ServiceClient) whose methods wait.
#[derive(Debug, Clone)]
pub struct ServiceClient {
    inner: crate::ServiceClient,
    runtime: SharedRuntime,
}

impl ServiceClient {
    /// A client of the server and with the key that environment variables name.
    ///
    /// # Errors
    /// Those of [`ServiceClient::from_env`](crate::ServiceClient::from_env).
    pub fn from_env() -> Result<Self, Error> {
        Self::start(crate::ServiceClient::from_env)
    }

    /// A client with a configuration.
    ///
    /// # Errors
    /// Those of [`ServiceClient::new`](crate::ServiceClient::new).
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::start(|| crate::ServiceClient::new(config))
    }

    /// A client with its own layers, transport or engine.
    ///
    /// # Errors
    /// Those of [`ServiceClientBuilder::build`](crate::ServiceClientBuilder::build).
    pub fn build(builder: ServiceClientBuilder) -> Result<Self, Error> {
        Self::start(|| builder.build())
    }

    fn start(make: impl FnOnce() -> Result<crate::ServiceClient, Error>) -> Result<Self, Error> {
        let runtime = SharedRuntime::start()?;
        let inner = runtime.enter(make)?;
        Ok(Self { inner, runtime })
    }

    /// Waits for any future of the async client, for methods that have no blocking form and for several operations at
    /// once.
    ///
    /// ```
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let builder = tinker_client::ServiceClient::builder().leaf(engine.service());
    /// # let service = tinker_client::blocking::ServiceClient::build(builder)?;
    /// let runs = service.block_on(async |service| service.runs().page(Default::default()).await)?;
    /// # drop(runs);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn block_on<T>(&self, call: impl AsyncFnOnce(&crate::ServiceClient) -> T) -> T {
        self.runtime.wait(|| call(&self.inner))
    }

    /// The models of the server and its limits.
    ///
    /// # Errors
    /// No answer, or a key that the server does not accept.
    pub fn server_capabilities(&self) -> Result<ServerCapabilities, Error> {
        self.runtime.wait(|| self.inner.server_capabilities())
    }

    /// Creates a model in training, see
    /// [`create_lora_training_client`](crate::ServiceClient::create_lora_training_client).
    ///
    /// # Errors
    /// A base model that the server does not have, or a configuration that it refuses.
    pub fn create_lora_training_client(
        &self,
        base_model: impl Into<String>,
        options: impl Into<TrainingOptions>,
    ) -> Result<TrainingClient, Error> {
        let (base_model, options) = (base_model.into(), options.into());
        let create = || self.inner.create_lora_training_client(base_model, options);
        let inner = self.runtime.wait(create)?;
        Ok(TrainingClient::new(inner, &self.runtime))
    }

    /// Continues from a training checkpoint with the weights and the state of the optimizer.
    ///
    /// # Errors
    /// A checkpoint that the server does not have.
    pub fn create_training_client_from_state_with_optimizer(
        &self,
        checkpoint: impl Into<LoadOptions>,
    ) -> Result<TrainingClient, Error> {
        let checkpoint = checkpoint.into();
        let create = || {
            self.inner
                .create_training_client_from_state_with_optimizer(checkpoint)
        };
        Ok(TrainingClient::new(
            self.runtime.wait(create)?,
            &self.runtime,
        ))
    }

    /// Continues from the weights of a training checkpoint, with a new optimizer.
    ///
    /// # Errors
    /// A checkpoint that the server does not have.
    pub fn create_training_client_from_state(
        &self,
        checkpoint: impl Into<LoadOptions>,
    ) -> Result<TrainingClient, Error> {
        let checkpoint = checkpoint.into();
        let create = || self.inner.create_training_client_from_state(checkpoint);
        Ok(TrainingClient::new(
            self.runtime.wait(create)?,
            &self.runtime,
        ))
    }

    /// Creates a sampler of a base model or a checkpoint.
    ///
    /// # Errors
    /// A model or checkpoint that the server does not have.
    pub fn create_sampling_client(
        &self,
        source: impl Into<SamplingSource>,
    ) -> Result<SamplingClient, Error> {
        let source = source.into();
        let inner = self
            .runtime
            .wait(|| self.inner.create_sampling_client(source))?;
        Ok(SamplingClient::new(inner, &self.runtime))
    }

    /// Ends the session on the server, which releases its models.
    ///
    /// # Errors
    /// No answer.
    pub fn close(&self, reason: FinishReason) -> Result<(), Error> {
        self.runtime.wait(|| self.inner.close(reason))
    }
}
