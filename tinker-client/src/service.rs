//! `ServiceClient`: where everything begins.

mod close;
mod create;
mod observing;

use std::sync::Arc;

use tinker_transport::{Billing, Call, Class, Replay};
use tinker_types::{
    CheckpointPath, Endpoint, GetServerCapabilities, ServerCapabilities, SessionId,
};

use crate::console;
use crate::copy;
use crate::core::Core;
use crate::custom::{self, LossGraph, LossHandle};
use crate::error::Error;
use crate::options::{CopyOptions, LoadOptions, SamplingSource, TrainingOptions};
use crate::pending::Pending;
use crate::sampling::{self, SamplerHandle, SamplingClient};
use crate::training::TrainingClient;

/// Where everything begins: makes clients that train and clients that sample.
///
/// All clients made by one service client, and its clones, share one session. The session is
/// opened when it is first needed; a heartbeat then keeps it alive until the last client is gone.
/// Cheap to clone.
///
/// Methods need a running tokio runtime with time and I/O enabled, and panic outside of one. The
/// heartbeat is a task of that runtime: code that blocks all of its threads for minutes makes the
/// server believe that nobody is there any more.
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
/// let models = service.get_server_capabilities().await?.supported_models;
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
    core: Arc<Core>,
}

impl ServiceClient {
    pub(crate) fn from_core(core: Arc<Core>) -> Self {
        Self { core }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The models the server has. Opens no session.
    ///
    #[doc = setup!(service)]
    /// let models = service.get_server_capabilities().await?.supported_models;
    /// assert_eq!(models[0].model_name.as_deref(), Some("tinker-local/tiny"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or one that refuses: a wrong key shows here first.
    pub async fn get_server_capabilities(&self) -> Result<ServerCapabilities, Error> {
        let link = self.core.link().await?;
        let call = Call::new(GetServerCapabilities::NAME, Class::Rest)
            .with_caller("ServiceClient.get_server_capabilities")
            .with_replay(Replay::Safe);
        let answer = Box::pin(link.api.call(&GetServerCapabilities {}, call)).await;
        self.core.news().outcome(answer)
    }

    /// Starts a training run: fresh adapters over a base model.
    ///
    /// Dropping the `Pending` lets it finish; the model is then without an owner until the session
    /// ends.
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
    /// Options that train nothing, before anything is sent. A base model the server does not have.
    pub fn create_lora_training_client(
        &self,
        base_model: impl Into<String>,
        options: impl Into<TrainingOptions>,
    ) -> Pending<TrainingClient> {
        let (base_model, options) = (base_model.into(), options.into());
        create::fresh(&self.core, base_model, options)
    }

    /// Goes on training from a checkpoint, with a fresh optimizer.
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
    /// A path that is no training checkpoint, before anything is sent; one that does not exist.
    pub fn create_training_client_from_state(
        &self,
        checkpoint: impl Into<LoadOptions>,
    ) -> Pending<TrainingClient> {
        create::load(&self.core, checkpoint.into(), false)
    }

    /// Goes on training from a checkpoint, with the optimizer's state as it was.
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
        create::load(&self.core, checkpoint.into(), true)
    }

    /// Makes a sampler. Text that begins with `tinker://` is the path of a checkpoint, any other
    /// the name of a base model.
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
    /// A malformed path, before anything is sent; a model or checkpoint the server does not have.
    pub fn create_sampling_client(
        &self,
        source: impl Into<SamplingSource>,
    ) -> Pending<SamplingClient> {
        sampling::create(&self.core, source.into())
    }

    /// Makes a loss of one's own known to the session, to train with by
    /// [`forward_backward_with`](TrainingClient::forward_backward_with). A server that runs such losses
    /// is sent the graph and runs it from then on; for others it is run here, with the same result.
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
    /// A loss that is not one number, uses no log probabilities, or that the session has already,
    /// before anything is sent; a graph that the server does not run.
    pub fn create_custom_loss(&self, loss: LossGraph) -> Pending<LossHandle> {
        custom::create(&self.core, loss)
    }

    /// A copy of a sampler that another client made, perhaps in another process; see
    /// [`SamplingClient::handle`]. Opens no session and sends nothing yet.
    ///
    /// The copy numbers its samples apart from those of all others. It samples as long as the session
    /// it was made in is open.
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
    /// A handle of another server than this client's.
    pub fn sampling_client_from_handle(
        &self,
        handle: SamplerHandle,
    ) -> Result<SamplingClient, Error> {
        handle.check_server(&self.core.config().base_url)?;
        Ok(SamplingClient::from_handle(&self.core, handle))
    }

    /// May this client work: does the server know the key, is the account in order? Asks once, and
    /// does not wait for an account to be put in order, as operations do.
    ///
    #[doc = setup!(service)]
    /// service.check_access().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 401 for a key that is not valid, 402 for an account that cannot be charged; no answer.
    pub async fn check_access(&self) -> Result<(), Error> {
        let link = self.core.link().await?;
        // A probe: like the official client's, it names no method.
        let call = Call::new("check_access", Class::Rest)
            .with_replay(Replay::Safe)
            .with_billing(Billing::Raise);
        let answer = Box::pin(link.api.call(&GetServerCapabilities {}, call)).await;
        self.core.news().outcome(answer).map(|_| ())
    }

    /// Copies a checkpoint into a project. Gives the path of the copy.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::CopyOptions;
    ///
    /// let saved = training.save_state("first").await?.path;
    /// let copy = service.copy_weights(CopyOptions::new(saved).with_project_id("mine")).await?;
    /// assert_ne!(copy.run(), training.model_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`RestClient::copy_weights`](crate::RestClient::copy_weights).
    pub async fn copy_weights(
        &self,
        options: impl Into<CopyOptions>,
    ) -> Result<CheckpointPath, Error> {
        let method = "ServiceClient.copy_weights";
        copy::copy_weights(&self.core, method, options.into()).await
    }

    /// The page of the session in the hosted service's console, for people; the page with all
    /// sessions as long as there is none.
    ///
    #[doc = setup!(service)]
    /// assert!(service.console_url().ends_with("/sessions"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn console_url(&self) -> String {
        self.session_id()
            .map_or_else(console::sessions, console::session)
    }

    /// The session, once it has been opened.
    ///
    #[doc = setup!(sampling)]
    /// assert!(service.session_id().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn session_id(&self) -> Option<&SessionId> {
        self.core.opened_session()
    }
}

#[cfg(test)]
mod tests;
