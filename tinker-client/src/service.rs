//! `ServiceClient`: where everything begins.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tinker_transport::policy::Standard;
use tinker_transport::{Billing, Call, Class, Replay};
use tinker_types::{
    CheckpointKind, CheckpointPath, CreateModel, Endpoint, FinishReason, FinishSession,
    GetServerCapabilities, InvalidValue, LoadTarget, LoadWeights, ModelId, ServerCapabilities,
    SessionId,
};
use tokio::time::Instant;

use crate::admin::AdminClient;
use crate::builder::ServiceClientBuilder;
use crate::config::Config;
use crate::console;
use crate::core::Core;
use crate::custom::{self, LossGraph, LossHandle};
use crate::error::Error;
use crate::options::{CopyOptions, LoadOptions, SamplingSource, TrainingOptions};
use crate::pending::Pending;
use crate::promise::Promise;
use crate::queue::QueueLog;
use crate::rest::{self, RestClient};
use crate::sampling::{self, SamplerHandle, SamplingClient};
use crate::training::{self, TrainingClient};
use crate::waiting::{Board, WaitingFor};

/// How long to go on telling the server that a session is over: a program that ends must not hang.
const FAREWELL: Duration = Duration::from_secs(10);

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
    /// A client with the settings of the environment, see [`Config::from_env`]. Sends nothing yet.
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env()?)
    }

    /// A client with these settings. Sends nothing yet.
    ///
    /// # Errors
    /// A configuration that cannot be used: no key for the hosted service, a bad base URL.
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::builder().config(config).build()
    }

    /// A builder, for a transport or layers of your own.
    pub fn builder() -> ServiceClientBuilder {
        ServiceClientBuilder::new()
    }

    pub(crate) fn from_core(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The models the server has. Opens no session.
    ///
    /// # Errors
    /// No answer, or one that refuses: a wrong key shows here first.
    pub async fn get_server_capabilities(&self) -> Result<ServerCapabilities, Error> {
        let link = self.core.link().await?;
        let call = Call::new(GetServerCapabilities::NAME, Class::Rest).with_replay(Replay::Safe);
        Box::pin(link.api.call(&GetServerCapabilities {}, call)).await
    }

    /// Starts a training run: fresh adapters over a base model.
    ///
    /// Dropping the `Pending` lets it finish; the model is then without an owner until the session
    /// ends.
    ///
    /// # Errors
    /// Options that train nothing, before anything is sent. A base model the server does not have.
    pub fn create_lora_training_client(
        &self,
        base_model: impl Into<String>,
        options: impl Into<TrainingOptions>,
    ) -> Pending<TrainingClient> {
        let (base_model, options) = (base_model.into(), options.into());
        if let Err(error) = check_new_model(&base_model, &options) {
            return Pending::refused(error);
        }
        self.create(move |session, number| {
            let mut request = CreateModel::new(session, number, &base_model, options.lora);
            request.optimizer_config = options.optimizer;
            request.user_metadata = Some(options.user_metadata).filter(|notes| !notes.is_empty());
            request
        })
    }

    /// Goes on training from a checkpoint, with a fresh optimizer.
    ///
    /// # Errors
    /// A path that is no training checkpoint, before anything is sent; one that does not exist.
    pub fn create_training_client_from_state(
        &self,
        checkpoint: impl Into<LoadOptions>,
    ) -> Pending<TrainingClient> {
        self.load(checkpoint.into(), false)
    }

    /// Goes on training from a checkpoint, with the optimizer's state as it was.
    ///
    /// # Errors
    /// As for [`create_training_client_from_state`](Self::create_training_client_from_state).
    pub fn create_training_client_from_state_with_optimizer(
        &self,
        checkpoint: impl Into<LoadOptions>,
    ) -> Pending<TrainingClient> {
        self.load(checkpoint.into(), true)
    }

    fn load(&self, options: LoadOptions, with_optimizer: bool) -> Pending<TrainingClient> {
        let path = match check_load(&options, with_optimizer) {
            Ok(path) => path,
            Err(error) => return Pending::refused(error),
        };
        self.create(move |session_id, model_seq_id| {
            let target = LoadTarget::NewModel {
                session_id,
                model_seq_id,
            };
            let mut request = LoadWeights::new(target, &path);
            request.optimizer = with_optimizer;
            request.base_model = options.base_model;
            request.optimizer_config = options.optimizer;
            request.weights_access_token = options.access_token;
            request.user_metadata = Some(options.user_metadata).filter(|notes| !notes.is_empty());
            request
        })
    }

    /// Runs the operation that makes the session's next model.
    fn create<O>(
        &self,
        request: impl FnOnce(SessionId, u64) -> O + Send + 'static,
    ) -> Pending<TrainingClient>
    where
        O: training::MakesModel + Send + Sync + 'static,
    {
        if let Err(error) = self.core.check_open() {
            return Pending::refused(error);
        }
        let core = Arc::clone(&self.core);
        let number = core.next_model();
        let board = Board::new(WaitingFor::Session);
        Pending::detached(board.clone(), async move {
            let started = Instant::now();
            let (session, link) = core.session().await?;
            board.set(WaitingFor::Acceptance);
            // What a 402 means before there is a model is for the caller to decide.
            let call = Call::new(O::NAME, Class::Train)
                .with_replay(Replay::Safe)
                .with_billing(Billing::Raise);
            let submitted = link
                .api
                .call(&request(session.clone(), number), call)
                .await?;
            let named = submitted.model_id.clone();
            let log = QueueLog::new(format!("creation of model {number}"));
            let made: O::Output = Promise::of::<O>(submitted, started)
                .resolve(link, &board, &log)
                .await?;
            let model = O::model_of(made).or(named);
            let model = model.unwrap_or_else(|| ModelId::of_session(session, number));
            TrainingClient::open(Arc::clone(&core), model).await
        })
    }

    /// Makes a sampler. Text that begins with `tinker://` is the path of a checkpoint, any other
    /// the name of a base model.
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
    /// # Errors
    /// 401 for a key that is not valid, 402 for an account that cannot be charged; no answer.
    pub async fn check_access(&self) -> Result<(), Error> {
        let link = self.core.link().await?;
        let call = Call::new("check_access", Class::Rest)
            .with_replay(Replay::Safe)
            .with_billing(Billing::Raise);
        Box::pin(link.api.call(&GetServerCapabilities {}, call))
            .await
            .map(|_| ())
    }

    /// A client for what the server keeps: training runs, checkpoints, sessions. It shares
    /// connections and settings with this one, and works on after [`close`](Self::close).
    pub fn rest(&self) -> RestClient {
        RestClient::from_core(Arc::clone(&self.core))
    }

    /// A client for an organization's audit log, usage and costs; shares connections and settings.
    pub fn admin(&self) -> AdminClient {
        AdminClient::from_core(Arc::clone(&self.core))
    }

    /// Copies a checkpoint into a project. Gives the path of the copy.
    ///
    /// # Errors
    /// As for [`RestClient::copy_weights`].
    pub async fn copy_weights(
        &self,
        options: impl Into<CopyOptions>,
    ) -> Result<CheckpointPath, Error> {
        rest::copy_weights(&self.core, options.into()).await
    }

    /// The page of the session in the hosted service's console, for people; the page with all
    /// sessions as long as there is none.
    pub fn console_url(&self) -> String {
        self.session_id()
            .map_or_else(console::sessions, console::session)
    }

    /// The session, once it has been opened.
    pub fn session_id(&self) -> Option<&SessionId> {
        self.core.opened_session()
    }

    /// Ends the session. Every client made from it refuses further work; operations under way are
    /// not waited for. Sends nothing if there never was a session, or if it is over already.
    ///
    /// # Errors
    /// The server could not be told within ten seconds. The clients are closed all the same, and the
    /// server ends the session itself when heartbeats stay away.
    pub async fn close(&self, reason: FinishReason) -> Result<(), Error> {
        Box::pin(self.finish(reason, None)).await
    }

    /// The same, with more to say about it.
    ///
    /// # Errors
    /// As for [`close`](Self::close).
    pub async fn close_with_detail(
        &self,
        reason: FinishReason,
        detail: impl Into<String>,
    ) -> Result<(), Error> {
        Box::pin(self.finish(reason, Some(detail.into()))).await
    }

    async fn finish(&self, reason: FinishReason, detail: Option<String>) -> Result<(), Error> {
        let was_open = self.core.close();
        let (Some(session), Some(link)) = (self.core.opened_session(), self.core.opened_link())
        else {
            return Ok(());
        };
        if !was_open {
            return Ok(());
        }
        let mut request = FinishSession::new(session.clone(), reason);
        request.detail = detail;
        let call = Call::new(FinishSession::NAME, Class::Session)
            .with_replay(Replay::Safe)
            .with_policy(Standard::new().with_time_limit(FAREWELL));
        match link.api.call_void(&request, call).await {
            // Servers without this route end a session when its heartbeats stay away.
            Err(Error::Status(error)) if error.status() == StatusCode::NOT_FOUND => Ok(()),
            result => result,
        }
    }
}

fn check_new_model(base_model: &str, options: &TrainingOptions) -> Result<(), InvalidValue> {
    if base_model.is_empty() {
        return Err(InvalidValue::new(
            "base_model",
            "is empty; name one the server has",
        ));
    }
    options.lora.check().map_err(|error| error.within("lora"))
}

fn check_load(options: &LoadOptions, with_optimizer: bool) -> Result<CheckpointPath, InvalidValue> {
    let path: CheckpointPath = options
        .path
        .parse()
        .map_err(|error: InvalidValue| error.within("path"))?;
    if path.kind() != CheckpointKind::Training {
        let why = format!(
            "{path} cannot be trained on; give a training checkpoint, tinker://<run>/weights/<name>"
        );
        return Err(InvalidValue::new("path", why));
    }
    if with_optimizer && options.optimizer.is_some() {
        let why = "is set, but the optimizer comes with the checkpoint; use create_training_client_from_state";
        return Err(InvalidValue::new("optimizer", why));
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
