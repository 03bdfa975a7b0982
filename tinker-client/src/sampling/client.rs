//! `SamplingClient`: sampling from one set of weights.

use std::sync::Arc;

use tinker_transport::policy::Policy;
use tinker_types::proto::SampleView;
use tinker_types::{ModelInput, SampleResponse, SamplingParams, SamplingSessionId};

use super::copy::CopyNumber;
use super::handle::SamplerHandle;
use super::options::check_prompt;
use super::renewable::Renewable;
use super::response::{Sampled, ignored};
use super::sampler::{Sampler, Wanted};
use crate::error::{Closed, Error};
use crate::operation::{pending::Pending, tracker::Tracker, waiting::WaitingFor};
use crate::sampling::options::SampleOptions;
use crate::sampling::source::SamplingSource;
use crate::session::{lease::ModelLease, record::Session, state::ClientState};

/// Draws sequences from one set of weights.
///
/// Every call starts its sample before it returns; thousands can be in flight. The number of concurrent requests is
/// controlled by the client and the server, see [`flow`](crate::flow). Dropping a [`Pending`] cancels its sample.
///
/// A sampler of a base model or of a checkpoint outlives its session: if the server has ended the session or was
/// restarted, the next sample makes the sampler again, and samples in flight are drawn again.
/// A sampler of weights that were not saved under a name ends with [`Error::SessionLost`].
///
/// Cheap to clone; clones share the sampler. Get one from
/// [`ServiceClient`](crate::ServiceClient) or [`TrainingClient`](crate::TrainingClient).
///
/// # Panics
/// Methods that start a sample panic outside of a tokio runtime. Programs without one use the clients of the feature
/// `blocking`.
#[derive(Debug, Clone)]
pub struct SamplingClient {
    pub(super) inner: Arc<Renewable>,
    /// Retry policy of the requests of samples, if it is not that of the class.
    policy: Option<Arc<dyn Policy>>,
}

impl SamplingClient {
    pub(super) fn of(
        sampler: Sampler,
        source: Option<SamplingSource>,
        base_model: Option<String>,
    ) -> Self {
        Self {
            inner: Renewable::new(sampler, source, base_model),
            policy: None,
        }
    }

    /// A sampler of a model, which is not unloaded before the sampler is dropped.
    pub(crate) fn of_model(
        state: &Arc<ClientState>,
        id: SamplingSessionId,
        base_model: Option<String>,
        lease: Arc<ModelLease>,
    ) -> Self {
        let session = Arc::clone(lease.session());
        let mut sampler = Sampler::new(state, session, id, CopyNumber::Original);
        sampler.lease = Some(lease);
        Self::of(sampler, None, base_model)
    }

    /// A copy of a sampler that another client made.
    pub(crate) fn from_handle(state: &Arc<ClientState>, handle: SamplerHandle) -> Self {
        let session = Arc::new(Session::foreign(handle.session_id));
        let id = handle.sampling_session_id;
        let mut sampler = Sampler::new(state, session, id, CopyNumber::of_copy());
        sampler.records_stability = handle.record_stability_info;
        Self::of(sampler, None, handle.base_model)
    }

    /// A serializable handle of the sampler, for another process. It holds no key.
    ///
    /// The sampler exists as long as its session. From its first sample on, the other process keeps the session alive as well,
    /// but closing this service client ends it.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tinker_client::{ModelInput, SamplerHandle, SamplingParams};
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
    /// # let elsewhere = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
    ///
    /// let client = service.create_sampling_client("tinker-local/tiny").await?;
    /// let text = client.handle().await?.to_string();
    ///
    /// // In another process:
    /// let handle: SamplerHandle = text.parse()?;
    /// let copy = elsewhere.sampling_client_from_handle(handle)?;
    /// let params = SamplingParams::default().with_max_tokens(4);
    /// let response = copy.sample(ModelInput::from_tokens([72, 105]), params).await?;
    /// assert_eq!(response.sequences.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The flags of the server, which are part of the handle, could not be fetched. The session was lost, and the sampler
    /// could not be made again.
    pub async fn handle(&self) -> Result<SamplerHandle, Error> {
        let sampler = self.inner.usable("SamplingClient.handle").await?;
        sampler.check()?;
        let state = &sampler.state;
        let connection = state.connection().await?;
        let session = sampler.session.id().ok_or_else(Closed::by_caller)?;
        let mut handle = SamplerHandle::new(
            session.clone(),
            sampler.id.clone(),
            &state.config().base_url,
            connection.flags.fixed().clone(),
            connection.flags.dynamic(),
        );
        handle.base_model.clone_from(&self.inner.base_model);
        handle.record_stability_info = sampler.records_stability;
        Ok(handle)
    }

    /// Id of the sampler. It changes when the sampler is made again after the loss of its session.
    ///
    #[doc = setup!(sampling)]
    /// let sampler = service.sessions().sampler(&sampling.sampler_id()).await?;
    /// assert_eq!(sampler.base_model, "tinker-local/tiny");
    /// # Ok(())
    /// # }
    /// ```
    pub fn sampler_id(&self) -> SamplingSessionId {
        self.inner.current().id.clone()
    }

    /// Name of the base model; `None` if the server does not report it.
    ///
    #[doc = setup!(sampling)]
    /// assert_eq!(sampling.base_model(), Some("tinker-local/tiny"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn base_model(&self) -> Option<&str> {
        self.inner.base_model.as_deref()
    }

    /// Sets the retry policy of this handle's requests to [`sample`](Self::sample) and
    /// [`compute_logprobs`](Self::compute_logprobs). Other handles of the sampler and token streams keep theirs.
    ///
    /// By default server errors are returned at once. [`Standard`](crate::transport::policy::Standard) repeats them too,
    /// for work in which one failed sample is worse than a wait.
    ///
    #[doc = setup!(sampling)]
    /// use tinker_client::transport::policy::Standard;
    ///
    /// let patient = sampling.with_policy(Standard::new());
    /// assert_eq!(patient.compute_logprobs([72, 105]).await?.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_policy(mut self, policy: impl Policy + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Draws sequences from a prompt.
    ///
    /// A sample whose promise expires on the server (410) is submitted again. Dropping the `Pending` cancels the sample.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tinker_client::{SampleOptions, SamplingParams};
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
    ///
    /// let client = service.create_sampling_client("tinker-local/tiny").await?;
    /// let params = SamplingParams::default().with_max_tokens(16).with_seed(7);
    /// let options = SampleOptions::new(params).with_num_samples(4);
    /// let response = client.sample([72, 105], options).await?;
    /// assert_eq!(response.sequences.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An empty prompt or parameters outside their range, before anything is sent. Server errors are returned without
    /// retries, throttling is waited out; set another policy with [`with_policy`](Self::with_policy), or for all samplers with
    /// [`configure_transport`](crate::ServiceClientBuilder::configure_transport).
    pub fn sample(
        &self,
        prompt: impl Into<ModelInput>,
        options: impl Into<SampleOptions>,
    ) -> Pending<SampleResponse> {
        self.start("SamplingClient.sample", prompt.into(), options.into(), Ok)
    }

    /// Draws sequences from a prompt as [`sample`](Self::sample) does, and leaves their arrays where they arrived: tokens and
    /// log probabilities are read in place, and copied only if asked for. For large answers, which cost about a third less
    /// this way. The memory of the answer is kept as long as a part of it is.
    ///
    #[doc = setup!(sampling)]
    /// use tinker_client::SamplingParams;
    ///
    /// let params = SamplingParams::default().with_max_tokens(4).with_seed(7);
    /// let view = sampling.sample_view([72, 105], params).await?;
    /// for sequence in &view.sequences {
    ///     let logprobs = sequence.logprobs.as_ref().ok_or("the server reports none")?;
    ///     println!("{:?}: {}", sequence.tokens, logprobs.iter().sum::<f32>());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`sample`](Self::sample).
    pub fn sample_view(
        &self,
        prompt: impl Into<ModelInput>,
        options: impl Into<SampleOptions>,
    ) -> Pending<SampleView> {
        // Servers know the name of the other method.
        self.start("SamplingClient.sample", prompt.into(), options.into(), Ok)
    }

    /// Log probability of each prompt token given the tokens before it, `[P]`; `None` at position 0.
    ///
    /// Dropping the `Pending` cancels the request.
    ///
    #[doc = setup!(sampling)]
    /// let logprobs = sampling.compute_logprobs([72, 105]).await?;
    /// assert!(logprobs[0].is_none() && logprobs[1].is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`sample`](Self::sample).
    pub fn compute_logprobs(&self, prompt: impl Into<ModelInput>) -> Pending<Vec<Option<f32>>> {
        // The protocol has no request without a sample, so one token is drawn and discarded.
        let options = SampleOptions::new(SamplingParams::default().with_max_tokens(1))
            .with_prompt_logprobs(true);
        self.start(
            "SamplingClient.compute_logprobs",
            prompt.into(),
            options,
            |response: SampleResponse| {
                let missing = || ignored("prompt_logprobs");
                response.prompt_logprobs.ok_or_else(missing)
            },
        )
    }

    /// Checks that a sample can be submitted.
    pub(super) fn check(&self, prompt: &ModelInput, options: &SampleOptions) -> Result<(), Error> {
        options.check()?;
        check_prompt(prompt)?;
        Ok(self.inner.current().state.check_open()?)
    }

    fn start<R: Sampled, T: Send + 'static>(
        &self,
        method: &'static str,
        prompt: ModelInput,
        options: SampleOptions,
        finish: impl FnOnce(R) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        if let Err(error) = self.check(&prompt, &options) {
            return Pending::refused(error);
        }
        let inner = Arc::clone(&self.inner);
        let sampler = inner.current();
        let tracker = Tracker::new(method, &sampler.group, WaitingFor::Acceptance);
        let position = sampler.next_position();
        let policy = self.policy.clone();
        Pending::cancelling(tracker.clone(), async move {
            let place = (sampler, position);
            let wanted = Wanted {
                prompt: &prompt,
                options: &options,
                policy,
            };
            finish(inner.sample(place, &wanted, &tracker).await?)
        })
    }
}
