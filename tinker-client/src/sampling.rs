//! `SamplingClient`: draws sequences from one set of weights.

mod abandon;
mod check;
mod copy;
mod create;
mod event;
mod events;
mod handle;
mod many;
mod stream;

pub(crate) use create::create;
pub use event::SampleEvent;
pub use handle::SamplerHandle;
pub use stream::SampleStream;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tinker_transport::policy::Backoff;
use tinker_transport::{Call, Class, Replay};
use tinker_types::{
    Chunk, Endpoint, ModelInput, PollTarget, SampleRequest, SampleResponse, SamplingParams,
    SamplingSessionId, SessionId,
};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::board::Board;
use crate::core::Core;
use crate::error::Error;
use crate::line::Line;
use crate::link::Link;
use crate::options::SampleOptions;
use crate::pending::Pending;
use crate::poller::Poller;
use crate::promise::{Hint, Promise};
use crate::waiting::WaitingFor;
use abandon::Abandon;
use check::{check_prompt, check_response, ignored, name};
use copy::CopyNumber;

/// Waits before a sample whose promise expired is asked for anew.
const RESAMPLE: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));

/// Draws sequences from one set of weights.
///
/// Every call is under way when it returns, thousands at once if you like: how many are sent at a
/// time, and when to hold back, is between this client and the server. Dropping a [`Pending`]
/// cancels its sample.
///
/// Cheap to clone; clones share the sampler. Get one from
/// [`ServiceClient`](crate::ServiceClient) or [`TrainingClient`](crate::TrainingClient).
#[derive(Debug, Clone)]
pub struct SamplingClient {
    inner: Arc<Sampler>,
}

/// One set of weights to sample from.
#[derive(Debug)]
struct Sampler {
    core: Arc<Core>,
    session: SessionId,
    id: SamplingSessionId,
    base_model: Option<String>,
    /// Every sample records what `stable_reinforce` needs.
    records_stability: bool,
    number: CopyNumber,
    /// Position of the next sample among those of this copy.
    positions: AtomicU64,
    /// Samples under way, from submission to result.
    slots: OnceCell<Arc<Semaphore>>,
    /// Present if the server wants one poll for all.
    poller: OnceLock<Poller>,
    line: Arc<Line>,
}

impl SamplingClient {
    pub(crate) fn new(
        core: &Arc<Core>,
        session: SessionId,
        id: SamplingSessionId,
        base_model: Option<String>,
    ) -> Self {
        Self::of(Sampler {
            core: Arc::clone(core),
            line: Line::new(format!("sampling from {id}"), core.news()),
            session,
            id,
            base_model,
            records_stability: false,
            number: CopyNumber::Original,
            positions: AtomicU64::new(0),
            slots: OnceCell::new(),
            poller: OnceLock::new(),
        })
    }

    /// A copy of a sampler that another client made.
    pub(crate) fn from_handle(core: &Arc<Core>, handle: SamplerHandle) -> Self {
        Self::of(Sampler {
            core: Arc::clone(core),
            line: Line::new(
                format!("sampling from {}", handle.sampling_session_id),
                core.news(),
            ),
            session: handle.session_id,
            id: handle.sampling_session_id,
            base_model: handle.base_model,
            records_stability: handle.record_stability_info,
            number: CopyNumber::of_copy(),
            positions: AtomicU64::new(0),
            slots: OnceCell::new(),
            poller: OnceLock::new(),
        })
    }

    fn of(sampler: Sampler) -> Self {
        Self {
            inner: Arc::new(sampler),
        }
    }

    /// The sampler as text, to pass to another process. It holds no key.
    ///
    /// The sampler lives as long as its session: keep this service client until the other process
    /// is done.
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
    /// The server's flags, which the handle carries, could not be asked for.
    pub async fn handle(&self) -> Result<SamplerHandle, Error> {
        let Sampler {
            core, session, id, ..
        } = &*self.inner;
        let link = core.link().await?;
        let mut handle = SamplerHandle::new(
            session.clone(),
            id.clone(),
            &core.config().base_url,
            link.flags.fixed().clone(),
            link.flags.dynamic(),
        );
        handle.base_model.clone_from(&self.inner.base_model);
        handle.record_stability_info = self.inner.records_stability;
        Ok(handle)
    }

    /// Id of the sampler.
    ///
    #[doc = setup!(sampling)]
    /// let sampler = service.rest().get_sampler(sampling.sampler_id()).await?;
    /// assert_eq!(sampler.base_model, "tinker-local/tiny");
    /// # Ok(())
    /// # }
    /// ```
    pub fn sampler_id(&self) -> &SamplingSessionId {
        &self.inner.id
    }

    /// Name of the base model; `None` from a server that does not say.
    ///
    #[doc = setup!(sampling)]
    /// assert_eq!(sampling.base_model(), Some("tinker-local/tiny"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn base_model(&self) -> Option<&str> {
        self.inner.base_model.as_deref()
    }

    /// Draws sequences after a prompt.
    ///
    /// A sample whose promise the server gives up (410) is asked for anew. Dropping the `Pending`
    /// cancels it.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tinker_client::{ModelInput, SampleOptions, SamplingParams};
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
    ///
    /// let client = service.create_sampling_client("tinker-local/tiny").await?;
    /// let params = SamplingParams::default().with_max_tokens(16).with_seed(7);
    /// let options = SampleOptions::new(params).with_num_samples(4);
    /// let response = client.sample(ModelInput::from_tokens([72, 105]), options).await?;
    /// assert_eq!(response.sequences.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An empty prompt or parameters outside their range, before anything is sent. Errors of the
    /// server surface at once, apart from those the protocol calls back-off; see
    /// [`configure_transport`](crate::ServiceClientBuilder::configure_transport) for others.
    pub fn sample(
        &self,
        prompt: ModelInput,
        options: impl Into<SampleOptions>,
    ) -> Pending<SampleResponse> {
        self.start("SamplingClient.sample", prompt, options.into(), Ok)
    }

    /// Log probability of each prompt token given those before it, `[P]`; `None` at position 0.
    ///
    /// Dropping the `Pending` cancels it.
    ///
    #[doc = setup!(sampling)]
    /// use tinker_client::ModelInput;
    ///
    /// let logprobs = sampling.compute_logprobs(ModelInput::from_tokens([72, 105])).await?;
    /// assert!(logprobs[0].is_none() && logprobs[1].is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`sample`](Self::sample).
    pub fn compute_logprobs(&self, prompt: ModelInput) -> Pending<Vec<Option<f32>>> {
        // The protocol has no request without a sample, so one token is drawn and dropped.
        let options = SampleOptions::new(SamplingParams::default().with_max_tokens(1))
            .with_prompt_logprobs(true);
        self.start(
            "SamplingClient.compute_logprobs",
            prompt,
            options,
            |response| {
                let missing = || ignored("prompt_logprobs");
                response.prompt_logprobs.ok_or_else(missing)
            },
        )
    }

    fn start<T: Send + 'static>(
        &self,
        method: &'static str,
        prompt: ModelInput,
        options: SampleOptions,
        finish: impl FnOnce(SampleResponse) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        if let Err(error) = options.check().and_then(|()| check_prompt(&prompt)) {
            return Pending::refused(error);
        }
        if let Err(error) = self.inner.core.check_open() {
            return Pending::refused(error);
        }
        let inner = Arc::clone(&self.inner);
        let board = Board::new(method, &inner.line, WaitingFor::Acceptance);
        let position = inner.next_position();
        Pending::cancelling(board.clone(), async move {
            finish(inner.sample(position, prompt, &options, &board).await?)
        })
    }
}

impl Sampler {
    fn next_position(&self) -> u64 {
        self.positions.fetch_add(1, Ordering::Relaxed)
    }

    /// A place among the samples under way, of which the server takes so many and no more.
    async fn slot(&self, link: &Link) -> Option<OwnedSemaphorePermit> {
        let most = link.flags.fixed().sample_max_concurrent_requests;
        let slots = || async { Arc::new(Semaphore::new(most.clamp(1, 1 << 20) as usize)) };
        let slots = Arc::clone(self.slots.get_or_init(slots).await);
        // The semaphore is never closed, so the only answer is a permit.
        slots.acquire_owned().await.ok()
    }

    /// Samples until there is a result, anew when a promise expires.
    async fn sample(
        &self,
        mut position: u64,
        prompt: ModelInput,
        options: &SampleOptions,
        board: &Board,
    ) -> Result<SampleResponse, Error> {
        let link = self.core.link().await?;
        let _slot = self.slot(link).await;
        let mut attempt = 0;
        loop {
            self.core.check_open()?;
            let number = &self.number;
            let seq_id = number
                .seq_id(link, &self.id, board.method(), position)
                .await?;
            let mut request = options.request(self.id.clone(), seq_id, prompt.clone());
            request.record_stability_info |= self.records_stability;
            match self.sample_once(link, request, board).await {
                Err(Error::Gone(gone))
                    if gone.has_expired() && !link.flags.fixed().sample_no_retries =>
                {
                    tracing::debug!(%gone, "asking for the sample anew");
                    tokio::time::sleep(RESAMPLE.with_jitter(0.25).wait(attempt)).await;
                    attempt += 1;
                    position = self.next_position();
                }
                Ok(response) => return check_response(response, options),
                Err(error) => return Err(error),
            }
        }
    }

    /// What says which samples are done, if the server wants it so. `seq_id` is one of this copy.
    fn poller(&self, link: &Link, seq_id: u64) -> Option<&Poller> {
        if !link.flags.fixed().sample_use_retrieve_futures {
            return None;
        }
        Some(self.poller.get_or_init(|| {
            let target = PollTarget::SamplingSession {
                sampling_session_id: self.id.clone(),
                cloned_sampler_id: CopyNumber::of_seq_id(seq_id),
            };
            Poller::start(link.api.clone(), target, link.unreachable_after)
        }))
    }

    async fn sample_once(
        &self,
        link: &Arc<Link>,
        request: SampleRequest,
        board: &Board,
    ) -> Result<SampleResponse, Error> {
        let started = Instant::now();
        board.set(WaitingFor::Acceptance);
        let call = Call::new(SampleRequest::NAME, Class::Sample)
            .with_caller(board.method())
            .with_replay(Replay::Safe)
            .with_weight(weight_of(&request.prompt));
        let mut place = self.poller(link, request.seq_id).map(Poller::place);
        let mut submitted = link.api.call(&request, call).await?;
        let names = submitted.sample_sequence_ids.take();
        let abandon = Abandon::new(link, submitted.request_id.clone());
        let promise = Promise::of::<SampleRequest>(submitted, started);
        let hint = async {
            match &mut place {
                Some(place) => place.hint(&promise.request_id).await,
                None => Hint::None,
            }
        };
        let result = promise.resolve_after(link, board, hint).await;
        abandon.disarm();
        let is_lost = matches!(result, Err(Error::Transport(_) | Error::Unreachable(_)));
        if let Some(place) = place.filter(|_| !is_lost) {
            place.fetched();
        }
        let mut response: SampleResponse = result?;
        name(&mut response, names);
        Ok(response)
    }
}

/// Bytes a sample is taken for: ten for a text token, the raw bytes of other chunks.
fn weight_of(prompt: &ModelInput) -> u64 {
    let weights = prompt.chunks.iter().map(|chunk| match chunk {
        Chunk::Text(text) => text.tokens.len() * 10,
        Chunk::Image(image) => image.data.len(),
        Chunk::ImagePointer(pointer) => pointer.location.len(),
        Chunk::Dmel(audio) => audio.dmel.len(),
        _ => 0,
    });
    weights.sum::<usize>() as u64
}

#[cfg(test)]
mod tests;
