//! `ServiceClient`: the entry point.

use std::sync::Arc;

use tinker_transport::{Billing, Call, Class};
use tinker_types::{Endpoint, GetHealth, GetServerCapabilities, ServerCapabilities, SessionId};

use super::create;
use crate::custom_loss;
use crate::custom_loss::{graph::LossGraph, handle::LossHandle};
use crate::error::{DecodeError, Error};
use crate::operation::pending::Pending;
use crate::sampling;
use crate::sampling::{client::SamplingClient, handle::SamplerHandle, source::SamplingSource};
use crate::session::{ask::ask, connection::Repeats, learned::ServerFacts, state::ClientState};
use crate::training::{
    client::TrainingClient, options::load::LoadOptions, options::training::TrainingOptions,
};
use crate::wire::{console, request::repeatable};

/// The entry point: creates training clients and sampling clients, and reads stored objects.
///
/// All clients made by one service client and its clones share one session. The session is opened on first use; a
/// heartbeat keeps it alive until the last client is dropped. Cheap to clone.
///
/// Methods require a running tokio runtime with time and I/O enabled and panic outside of one. The heartbeat is a task
/// of that runtime: code that blocks all its threads for minutes makes the server end the session.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tinker_client::{FinishReason, LoraConfig, ServiceClient};
/// use tinker_local::LocalEngine;
///
/// // An engine in this process; `ServiceClient::from_env()?` for a server elsewhere.
/// let engine = LocalEngine::builtin()?;
/// let service = ServiceClient::builder().leaf(engine.service()).build()?;
///
/// let models = service.server_capabilities().await?.supported_models;
/// let base = models[0].model_name.as_deref().unwrap_or_default();
/// let training = service.create_lora_training_client(base, LoraConfig::new(16)).await?;
/// let sampling = service.create_sampling_client(base).await?;
///
/// service.close(FinishReason::Success).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ServiceClient {
    pub(super) state: Arc<ClientState>,
}

impl ServiceClient {
    pub(crate) fn from_state(state: Arc<ClientState>) -> Self {
        Self { state }
    }

    pub(crate) fn state(&self) -> &Arc<ClientState> {
        &self.state
    }

    /// The models of the server. Opens no session.
    ///
    #[doc = setup!(service)]
    /// let models = service.server_capabilities().await?.supported_models;
    /// assert_eq!(models[0].model_name.as_deref(), Some("tinker-local/tiny"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or an error status; usually the first call that an invalid key fails.
    pub async fn server_capabilities(&self) -> Result<ServerCapabilities, Error> {
        let method = "ServiceClient.server_capabilities";
        ask(&self.state, method, GetServerCapabilities {}).await
    }

    /// Starts a training run: new adapters on a base model.
    ///
    /// Dropping the `Pending` does not stop the creation; the model then exists unused until the session ends.
    ///
    #[doc = setup!(service)]
    /// use tinker_client::LoraConfig;
    ///
    /// let lora = LoraConfig::new(8).with_seed(1);
    /// let training = service.create_lora_training_client("tinker-local/tiny", lora).await?;
    /// assert_eq!(training.info().lora_rank, Some(8));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Options that train nothing, before anything is sent. A base model that the server does not have.
    pub fn create_lora_training_client(
        &self,
        base_model: impl Into<String>,
        options: impl Into<TrainingOptions>,
    ) -> Pending<TrainingClient> {
        let (base_model, options) = (base_model.into(), options.into());
        create::fresh(&self.state, base_model, options)
    }

    /// Continues training from a checkpoint, with a new optimizer state.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let next = service.create_training_client_from_state(&saved).await?;
    /// assert_ne!(next.model_id(), training.model_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A path that is neither a training checkpoint nor an [uploaded](crate::CheckpointClient::upload) one, before anything
    /// is sent; a checkpoint that does not exist.
    pub fn create_training_client_from_state(
        &self,
        checkpoint: impl Into<LoadOptions>,
    ) -> Pending<TrainingClient> {
        let method = "ServiceClient.create_training_client_from_state";
        create::load(&self.state, method, checkpoint.into(), false)
    }

    /// Continues training from a checkpoint, with its optimizer state.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let next = service.create_training_client_from_state_with_optimizer(&saved).await?;
    /// assert_eq!(next.info().lora_rank, training.info().lora_rank);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`create_training_client_from_state`](Self::create_training_client_from_state).
    pub fn create_training_client_from_state_with_optimizer(
        &self,
        checkpoint: impl Into<LoadOptions>,
    ) -> Pending<TrainingClient> {
        let method = "ServiceClient.create_training_client_from_state_with_optimizer";
        create::load(&self.state, method, checkpoint.into(), true)
    }

    /// Creates a sampler. Text that starts with `tinker://` is the path of a checkpoint, any other text the name of a base
    /// model.
    ///
    #[doc = setup!(training)]
    /// let base = service.create_sampling_client("tinker-local/tiny").await?;
    /// let saved = training.save_weights_for_sampler("tuned").await?;
    /// let tuned = service.create_sampling_client(saved).await?;
    /// assert_ne!(tuned.sampler_id(), base.sampler_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A malformed path, before anything is sent; a model or checkpoint that does not exist.
    pub fn create_sampling_client(
        &self,
        source: impl Into<SamplingSource>,
    ) -> Pending<SamplingClient> {
        sampling::create::create(&self.state, source.into())
    }

    /// Registers a custom loss with the session, for use in
    /// [`forward_backward_with`](TrainingClient::forward_backward_with). A server that runs custom losses receives the
    /// graph and runs it; otherwise the client runs it, with the same result.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tinker_client::autodiff::Expr;
    /// use tinker_client::{Datum, LoraConfig, LossGraph};
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
    ///
    /// let neg_ll = -(Expr::logprobs() * Expr::input("weights")).sum();
    /// let loss = service.create_custom_loss(LossGraph::new("neg_ll", neg_ll)).await?;
    ///
    /// let training = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4)).await?;
    /// let data = vec![Datum::supervised(&[72], &[105])];
    /// let output = training.forward_backward_with(data, &loss).await?;
    /// assert!(output.loss_sum().is_some_and(|loss| loss > 0.0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Before anything is sent: a loss that is not one number, does not use log probabilities, or is registered already.
    /// A graph that the server refuses.
    pub fn create_custom_loss(&self, loss: LossGraph) -> Pending<LossHandle> {
        custom_loss::create::create(&self.state, loss)
    }

    /// A copy of a sampler that another client made, possibly in another process; see [`SamplingClient::handle`]. Opens no
    /// session and sends nothing.
    ///
    /// Each copy has its own range of sequence ids. The sampler exists as long as its session.
    ///
    #[doc = setup!(sampling)]
    /// let handle = sampling.handle().await?;
    /// let copy = service.sampling_client_from_handle(handle)?;
    /// assert_eq!(copy.sampler_id(), sampling.sampler_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A handle from another server.
    pub fn sampling_client_from_handle(
        &self,
        handle: SamplerHandle,
    ) -> Result<SamplingClient, Error> {
        handle.check_server(&self.state.config().base_url)?;
        Ok(SamplingClient::from_handle(&self.state, handle))
    }

    /// Checks the key and the account. Each request is sent once: a failure is returned at once. Unlike operations it does
    /// not wait out a billing pause (402).
    ///
    #[doc = setup!(service)]
    /// service.check_access().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 401 for an invalid key, 402 for an account that cannot be charged; no answer.
    pub async fn check_access(&self) -> Result<(), Error> {
        let connection = self.state.connection_with(Repeats::Never).await?;
        // A probe: like the official client, it sends no method name.
        let call = Call::new("check_access", Class::Rest).with_billing(Billing::Raise);
        let call = Repeats::Never.call(call);
        let answer = Box::pin(connection.api.call(&GetServerCapabilities {}, call)).await;
        self.state.events().outcome(answer).map(|_| ())
    }

    /// Checks that the server is up. Each request is sent once: a failure is returned at once. Does not test the key or
    /// the account; use [`check_access`](Self::check_access) for those.
    ///
    #[doc = setup!(service)]
    /// service.check_health().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or an answer other than `ok`.
    pub async fn check_health(&self) -> Result<(), Error> {
        let connection = self.state.connection_with(Repeats::Never).await?;
        // A probe: like the official client's, it sends no method name.
        let call = Repeats::Never.call(repeatable::<GetHealth>(Class::Rest));
        let answer = Box::pin(connection.api.call(&GetHealth {}, call)).await;
        let health = self.state.events().outcome(answer)?;
        if health.status == "ok" {
            return Ok(());
        }
        let what = format!("the server reports the status {:?}", health.status);
        Err(DecodeError::new(GetHealth::NAME, what).into())
    }

    /// Findings about the server so far; `None` before the first request.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{Datum, Loss, Wire};
    ///
    /// let data = vec![Datum::supervised(&[72, 105], &[33])];
    /// training.forward_backward(data, Loss::cross_entropy()).await?;
    /// assert_eq!(service.server_facts().and_then(|facts| facts.wire), Some(Wire::Protobuf));
    /// # Ok(())
    /// # }
    /// ```
    pub fn server_facts(&self) -> Option<ServerFacts> {
        let connection = self.state.opened_connection()?;
        Some(connection.learned.facts())
    }

    /// Link to the session in the web console of the hosted service; to the list of sessions before the session is open.
    ///
    #[doc = setup!(service)]
    /// assert!(service.console_url().ends_with("/sessions"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn console_url(&self) -> String {
        let session = self.session_id();
        session.map_or_else(console::sessions, |session| console::session(&session))
    }

    /// Id of the session; `None` before it is opened, and after it was lost until the next one is opened.
    ///
    #[doc = setup!(sampling)]
    /// assert!(service.session_id().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn session_id(&self) -> Option<SessionId> {
        let session = self.state.latest_session();
        session.id().filter(|_| session.end().is_none()).cloned()
    }
}
