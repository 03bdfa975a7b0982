//! One sampler: its sequence ids, its slots, its samples.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use tinker_transport::Class;
use tinker_transport::policy::{Backoff, Policy};
use tinker_types::wire::SEQ_IDS_PER_COPY;
use tinker_types::{
    Chunk, Endpoint, ModelInput, PollTarget, SampleRequest, SamplingSessionId, Stop, Submitted,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::abandon::Abandon;
use super::copy::CopyNumber;
use super::response::{Sampled, check_response, name, text_length};
use crate::error::{Error, Remedy, SessionLost, StatusError};
use crate::operation::{group::Group, tracker::Tracker, waiting::WaitingFor};
use crate::promise::poller::Poller;
use crate::promise::record::{Hint, Promise};
use crate::sampling::options::SampleOptions;
use crate::session::{
    connection::Connection, lease::ModelLease, lost, record::Session, state::ClientState,
};
use crate::wire::{api::Answer, extra::Extended, request::repeatable};

/// Back-off before a sample whose promise expired is submitted again.
const RESAMPLE: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));

/// A sample that a caller wants.
pub(super) struct Wanted<'a> {
    pub(super) prompt: &'a ModelInput,
    pub(super) options: &'a SampleOptions,
    /// Retry policy, if it is not that of the class.
    pub(super) policy: Option<Arc<dyn Policy>>,
}

/// One set of weights to sample from, and the samples in flight.
#[derive(Debug)]
pub(super) struct Sampler {
    pub(super) state: Arc<ClientState>,
    pub(super) session: Arc<Session>,
    pub(super) id: SamplingSessionId,
    /// Whether every sample records what `stable_reinforce` needs.
    pub(super) records_stability: bool,
    pub(super) number: CopyNumber,
    /// Position of the next sample of this copy.
    pub(super) positions: AtomicU64,
    /// Slots of samples in flight, from submission to result. Their number is set by the first sample.
    slots: OnceLock<Arc<Semaphore>>,
    /// The poller for all samples, if the server asks for one.
    poller: OnceLock<Poller>,
    pub(super) group: Arc<Group>,
    /// The model whose weights are sampled from, if it may have to be unloaded.
    pub(super) lease: Option<Arc<ModelLease>>,
}

impl Sampler {
    pub(super) fn new(
        state: &Arc<ClientState>,
        session: Arc<Session>,
        id: SamplingSessionId,
        number: CopyNumber,
    ) -> Self {
        Self {
            state: Arc::clone(state),
            group: Group::new(format!("sampling from {id}"), state.events()),
            session,
            id,
            records_stability: false,
            lease: None,
            number,
            positions: AtomicU64::new(0),
            slots: OnceLock::new(),
            poller: OnceLock::new(),
        }
    }

    /// The sampler of the same weights in another session.
    pub(super) fn renewed(old: &Self, session: Arc<Session>, id: SamplingSessionId) -> Self {
        let mut sampler = Self::new(&old.state, session, id, CopyNumber::Original);
        sampler.records_stability = old.records_stability;
        sampler
    }

    /// Whether a sample may be drawn again after its result was lost.
    pub(super) fn repeats_samples(&self) -> bool {
        let connection = self.state.opened_connection();
        connection.is_none_or(|connection| !connection.flags.fixed().sample_no_retries)
    }

    pub(super) fn next_position(&self) -> u64 {
        self.positions.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for a slot among the samples in flight.
    pub(super) async fn slot(&self, connection: &Connection) -> Option<OwnedSemaphorePermit> {
        let most = connection.flags.fixed().sample_max_concurrent_requests;
        let slots = || Arc::new(Semaphore::new(most.clamp(1, 1 << 20) as usize));
        let slots = Arc::clone(self.slots.get_or_init(slots));
        // The semaphore is never closed, so this is always a permit.
        slots.acquire_owned().await.ok()
    }

    /// The sequence id of the sample at this position.
    pub(super) async fn seq_id(
        &self,
        connection: &Connection,
        method: &'static str,
        position: u64,
    ) -> Result<u64, Error> {
        if let Some(id) = self.session.id() {
            // A copy keeps the session of its sampler alive, as the client that opened it may end first.
            self.state.keep_alive(&self.session, id, connection);
        }
        let number = self.number.get(connection, &self.id, method).await?;
        Ok(number * SEQ_IDS_PER_COPY + position)
    }

    /// The request of a sample.
    pub(super) fn request(
        &self,
        connection: &Connection,
        seq_id: u64,
        prompt: ModelInput,
        options: &SampleOptions,
    ) -> SampleRequest {
        let mut request = options.request(self.id.clone(), seq_id, prompt);
        request.record_stability_info |= self.records_stability;
        if !connection.api.manner().has_official_form() {
            list_stop(&mut request);
        }
        request
    }

    /// Samples until there is a result; submits the sample again when its promise expires.
    pub(super) async fn sample<R: Sampled>(
        &self,
        mut position: u64,
        wanted: &Wanted<'_>,
        tracker: &Tracker,
    ) -> Result<R, Error> {
        let options = wanted.options;
        let connection = self.state.connection().await?;
        let _slot = self.slot(connection).await;
        let mut attempt = 0;
        loop {
            self.state.check_open()?;
            self.check()?;
            let sample = self.sample_once(connection, position, wanted, tracker);
            let error = match sample.await {
                Ok(response) => {
                    return check_response(response, options, text_length(wanted.prompt));
                }
                Err(error) => error,
            };
            match self.explained(connection, error).await {
                Error::Gone(gone)
                    if gone.has_expired() && !connection.flags.fixed().sample_no_retries =>
                {
                    tracing::debug!(%gone, "submitting the sample again");
                }
                error => return Err(error),
            }
            tokio::time::sleep(RESAMPLE.with_jitter(0.25).wait(attempt)).await;
            attempt += 1;
            position = self.next_position();
        }
    }

    /// Refuses work after the loss of the session.
    pub(super) fn check(&self) -> Result<(), Error> {
        let lost = lost::check(&self.session, SampleRequest::NAME);
        Ok(lost.map_err(|lost| self.with_remedy(lost))?)
    }

    /// Replaces an error of a sample that the loss of the session explains.
    pub(super) async fn explained(&self, connection: &Connection, error: Error) -> Error {
        match Box::pin(lost::explained(&self.session, connection, error)).await {
            Error::SessionLost(lost) => self.with_remedy(lost).into(),
            error => error,
        }
    }

    fn with_remedy(&self, lost: SessionLost) -> SessionLost {
        lost.with_remedy(match self.number {
            CopyNumber::Original => Remedy::SampleAgain,
            CopyNumber::Copy(_) => Remedy::NewHandle,
        })
    }

    /// The poller for all samples of this copy, if the server asks for one. `seq_id` is a sequence id of this copy.
    fn poller(&self, connection: &Connection, seq_id: u64) -> Option<&Poller> {
        if !connection.flags.fixed().sample_use_retrieve_futures {
            return None;
        }
        Some(self.poller.get_or_init(|| {
            let target = PollTarget::SamplingSession {
                sampling_session_id: self.id.clone(),
                cloned_sampler_id: seq_id / SEQ_IDS_PER_COPY,
            };
            let (limit, waits) = (connection.unreachable_after, connection.poll_waits);
            Poller::start(connection.api.clone(), target, limit, waits)
        }))
    }

    /// Submits a sample and waits for its result.
    async fn sample_once<R: Sampled>(
        &self,
        connection: &Arc<Connection>,
        position: u64,
        wanted: &Wanted<'_>,
        tracker: &Tracker,
    ) -> Result<R, Error> {
        let seq_id = self.seq_id(connection, tracker.method(), position).await?;
        let started = Instant::now();
        tracker.set(WaitingFor::Acceptance);
        let mut subscription = self.poller(connection, seq_id).map(Poller::subscribe);
        // Made again for the other form, and not kept while the answer is waited for.
        let submit = |lists_stop| {
            let prompt = wanted.prompt.clone();
            let mut request = self.request(connection, seq_id, prompt, wanted.options);
            if lists_stop {
                list_stop(&mut request);
            }
            submit(connection, &request, wanted, tracker)
        };
        let has_other_form = connection.api.manner().has_official_form()
            && matches!(wanted.options.params.stop, Some(Stop::Text(_)));
        let mut submitted = match submit(false).await {
            Err(Error::Status(error)) if has_other_form && refuses_stop(&error) => {
                submit(true).await?
            }
            submitted => submitted?,
        };
        let names = submitted.sample_sequence_ids.take();
        let abandon = Abandon::new(connection, submitted.request_id.clone());
        let promise = Promise::of::<SampleRequest>(submitted, started);
        let hint = async {
            match &mut subscription {
                Some(subscription) => subscription.hint(&promise.request_id).await,
                None => Hint::None,
            }
        };
        let result = promise.resolve_after(connection, tracker, hint).await;
        abandon.disarm();
        let is_lost = matches!(result, Err(Error::Transport(_) | Error::Unreachable(_)));
        if let Some(subscription) = subscription.filter(|_| !is_lost) {
            subscription.fetched();
        }
        let mut response: R = result?;
        name(&mut response, names);
        Ok(response)
    }
}

/// Submits a sample. The future does not keep the request.
fn submit<'a>(
    connection: &'a Connection,
    request: &SampleRequest,
    wanted: &Wanted<'_>,
    tracker: &Tracker,
) -> impl Future<Output = Result<Submitted, Error>> + use<'a> {
    let call = repeatable::<SampleRequest>(Class::Sample).with_weight(weight_of(&request.prompt));
    let mut call = tracker.identify(call);
    call.policy.clone_from(&wanted.policy);
    let extra = &wanted.options.extra;
    let api = &connection.api;
    let request = api.manner().request(&Extended { request, extra }, call);
    api.answered(request, Answer::into_message::<Submitted>)
}

/// Writes a single stop text as a list, which every server takes.
fn list_stop(request: &mut SampleRequest) {
    let stop = request.sampling_params.stop.take();
    request.sampling_params.stop = stop.map(|stop| match stop {
        Stop::Text(text) => Stop::Texts(vec![text]),
        other => other,
    });
}

/// Whether a refusal names the stop condition.
fn refuses_stop(error: &StatusError) -> bool {
    error.status() == StatusCode::UNPROCESSABLE_ENTITY && error.detail().contains("stop")
}

/// Weight of a sample in bytes: ten per text token, the size of other chunks.
pub(super) fn weight_of(prompt: &ModelInput) -> u64 {
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
mod tests {
    use tinker_types::{Dmel, Image, ImageFormat};

    use super::*;

    #[test]
    fn a_token_of_a_prompt_counts_ten_bytes() {
        let image = Image {
            data: vec![0; 100],
            format: ImageFormat::Png,
            expected_tokens: None,
        };
        let audio = Dmel { dmel: vec![0; 7] };
        let chunks = vec![
            Chunk::text([1, 2, 3]),
            Chunk::Image(image),
            Chunk::Dmel(audio),
        ];
        assert_eq!(weight_of(&ModelInput::new(chunks)), 3 * 10 + 100 + 7);
    }
}
