//! `SamplingClient`: draws sequences from one set of weights.

mod abandon;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tinker_transport::policy::Backoff;
use tinker_transport::{Call, Class, Replay};
use tinker_types::{
    CheckpointPath, Chunk, CreateSamplingSession, Endpoint, GetSampler, InvalidValue, ModelInput,
    SampleRequest, SampleResponse, SamplingParams, SamplingSessionId, SequenceId,
};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

use crate::core::Core;
use crate::error::{DecodeError, Error};
use crate::link::Link;
use crate::options::{SampleOptions, SamplingSource};
use crate::pending::Pending;
use crate::promise::Promise;
use crate::queue::QueueLog;
use crate::waiting::{Board, WaitingFor};
use abandon::Abandon;

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
    id: SamplingSessionId,
    base_model: Option<String>,
    seq_ids: AtomicU64,
    /// Samples under way, from submission to result.
    slots: OnceCell<Semaphore>,
    log: QueueLog,
}

/// Makes the session's next sampler.
pub(crate) fn create(core: &Arc<Core>, source: SamplingSource) -> Pending<SamplingClient> {
    if let Err(error) = check_source(&source) {
        return Pending::refused(error);
    }
    if let Err(error) = core.check_open() {
        return Pending::refused(error);
    }
    let core = Arc::clone(core);
    let number = core.next_sampler();
    let board = Board::new(WaitingFor::Session);
    Pending::detached(board.clone(), async move {
        let (session, link) = core.session().await?;
        board.set(WaitingFor::Acceptance);
        let mut request = CreateSamplingSession::new(session.clone(), number);
        let base_model = match source {
            SamplingSource::BaseModel(name) => {
                request.base_model = Some(name.clone());
                Some(name)
            }
            SamplingSource::Checkpoint(path) => {
                request.model_path = Some(path);
                None
            }
        };
        let call = Call::new(CreateSamplingSession::NAME, Class::Session).with_replay(Replay::Safe);
        let id = link.api.call(&request, call).await?.sampling_session_id;
        let base_model = match base_model {
            Some(name) => Some(name),
            None => base_model_of(link, &id).await?,
        };
        Ok(SamplingClient::new(&core, id, base_model))
    })
}

/// The base model of a sampler made from a checkpoint; servers without the route don't say.
async fn base_model_of(link: &Link, id: &SamplingSessionId) -> Result<Option<String>, Error> {
    let call = Call::new(GetSampler::NAME, Class::Rest).with_replay(Replay::Safe);
    match link.api.call(&GetSampler::new(id.clone()), call).await {
        Ok(info) => Ok(Some(info.base_model)),
        Err(Error::Status(error)) if error.status() == http::StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

fn check_source(source: &SamplingSource) -> Result<(), InvalidValue> {
    match source {
        SamplingSource::BaseModel(name) if name.is_empty() => Err(InvalidValue::new(
            "source",
            "is empty; name a base model or a tinker:// path",
        )),
        SamplingSource::BaseModel(_) => Ok(()),
        SamplingSource::Checkpoint(path) => {
            let parsed: Result<CheckpointPath, _> = path.parse();
            parsed.map(|_| ()).map_err(|error| error.within("source"))
        }
    }
}

impl SamplingClient {
    pub(crate) fn new(core: &Arc<Core>, id: SamplingSessionId, base_model: Option<String>) -> Self {
        let inner = Sampler {
            core: Arc::clone(core),
            log: QueueLog::new(format!("sampling from {id}")),
            id,
            base_model,
            seq_ids: AtomicU64::new(0),
            slots: OnceCell::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Id of the sampler.
    pub fn sampler_id(&self) -> &SamplingSessionId {
        &self.inner.id
    }

    /// Name of the base model; `None` from a server that does not say.
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
        self.start(prompt, options.into(), Ok)
    }

    /// Log probability of each prompt token given those before it, `[P]`; `None` at position 0.
    ///
    /// Dropping the `Pending` cancels it.
    ///
    /// # Errors
    /// As for [`sample`](Self::sample).
    pub fn compute_logprobs(&self, prompt: ModelInput) -> Pending<Vec<Option<f32>>> {
        // The protocol has no request without a sample, so one token is drawn and dropped.
        let options = SampleOptions::new(SamplingParams::default().with_max_tokens(1))
            .with_prompt_logprobs(true);
        self.start(prompt, options, |response| {
            let missing = || ignored("prompt_logprobs");
            response.prompt_logprobs.ok_or_else(missing)
        })
    }

    fn start<T: Send + 'static>(
        &self,
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
        let (inner, board) = (Arc::clone(&self.inner), Board::new(WaitingFor::Acceptance));
        let seq_id = inner.next_seq_id();
        Pending::cancelling(board.clone(), async move {
            finish(inner.sample(seq_id, prompt, &options, &board).await?)
        })
    }
}

impl Sampler {
    fn next_seq_id(&self) -> u64 {
        self.seq_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Samples until there is a result, anew when a promise expires.
    async fn sample(
        &self,
        mut seq_id: u64,
        prompt: ModelInput,
        options: &SampleOptions,
        board: &Board,
    ) -> Result<SampleResponse, Error> {
        let link = self.core.link().await?;
        let limit = link
            .flags
            .fixed()
            .sample_max_concurrent_requests
            .clamp(1, 1 << 20) as usize;
        let slots = self
            .slots
            .get_or_init(|| async { Semaphore::new(limit) })
            .await;
        // The semaphore is never closed, so the only answer is a permit.
        let _slot = slots.acquire().await.ok();
        let mut attempt = 0;
        loop {
            self.core.check_open()?;
            let request = options.request(self.id.clone(), seq_id, prompt.clone());
            match self.sample_once(link, request, board).await {
                Err(Error::Gone(gone))
                    if gone.has_expired() && !link.flags.fixed().sample_no_retries =>
                {
                    tracing::debug!(%gone, "asking for the sample anew");
                    tokio::time::sleep(RESAMPLE.with_jitter(0.25).wait(attempt)).await;
                    attempt += 1;
                    seq_id = self.next_seq_id();
                }
                Ok(response) => return check_response(response, options),
                Err(error) => return Err(error),
            }
        }
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
            .with_replay(Replay::Safe)
            .with_weight(weight_of(&request.prompt));
        let mut submitted = link.api.call(&request, call).await?;
        let names = submitted.sample_sequence_ids.take();
        let abandon = Abandon::new(link, submitted.request_id.clone());
        let promise = Promise::of::<SampleRequest>(submitted, started);
        let result = promise.resolve(link, board, &self.log).await;
        abandon.disarm();
        let mut response: SampleResponse = result?;
        name(&mut response, names);
        Ok(response)
    }
}

/// Puts the names from the submission on the sequences. Servers may give none.
fn name(response: &mut SampleResponse, names: Option<Vec<SequenceId>>) {
    let Some(names) = names else {
        return;
    };
    let (given, drawn) = (names.len(), response.sequences.len());
    if given != drawn {
        // Wrong names would be worse than none.
        tracing::warn!(
            given,
            drawn,
            "the server named another number of sequences than it drew"
        );
        return;
    }
    for (sequence, name) in response.sequences.iter_mut().zip(names) {
        sequence.sequence_id = Some(name);
    }
}

/// Refuses a response that lacks what was asked for.
fn check_response(
    response: SampleResponse,
    options: &SampleOptions,
) -> Result<SampleResponse, Error> {
    if options.prompt_alt_tokens_k > 0 && response.prompt_alt_tokens.is_none() {
        return Err(ignored("prompt_alt_tokens_k"));
    }
    if let (Some(last), Some(logprobs)) =
        (options.prompt_logprobs_last_n, &response.prompt_logprobs)
    {
        let before = logprobs.len().saturating_sub(last as usize);
        if logprobs[..before].iter().any(Option::is_some) {
            return Err(ignored("prompt_logprobs_last_n"));
        }
    }
    Ok(response)
}

fn ignored(what: &str) -> Error {
    DecodeError::new(
        SampleRequest::NAME,
        format!("the server does not do {what}, which was asked for"),
    )
    .into()
}

fn check_prompt(prompt: &ModelInput) -> Result<(), InvalidValue> {
    let is_empty = prompt
        .chunks
        .iter()
        .all(|chunk| chunk.length().is_ok_and(|length| length == 0));
    if is_empty {
        return Err(InvalidValue::new(
            "prompt",
            "is empty; give at least one token",
        ));
    }
    Ok(())
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
