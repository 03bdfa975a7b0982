//! Token streams.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use tinker_transport::{Body, Call, Class, Kind, Replay, Stage, TransportError};
use tinker_types::wire::route;
use tinker_types::{Method, ModelInput, SampleRequest, SampleResponse};
use tokio::sync::OwnedSemaphorePermit;

use super::client::SamplingClient;
use super::event::SampleEvent;
use super::renewable::Renewable;
use super::response::{check_response, text_length};
use super::sampler::{Sampler, Wanted, weight_of};
use super::sse::Events;
use crate::error::{DecodeError, Error, StatusError, detail_of};
use crate::operation::{tracker::Tracker, waiting::WaitingFor};
use crate::sampling::options::SampleOptions;
use crate::session::connection::Connection;
use crate::wire::request::{Form, locate};
use crate::wire::{extra::Extended, request};

const OPERATION: &str = route::STREAM_SAMPLE;
const METHOD: &str = "SamplingClient.stream";

/// The events of a sample in progress, as a [`Stream`]; [`try_next`](Self::try_next) works without stream
/// combinators. Ends after [`SampleEvent::Done`] or the first error. Dropping it cancels the sample.
#[must_use = "nothing is sent before an event is polled"]
pub struct SampleStream(BoxStream<'static, Result<SampleEvent, Error>>);

impl SamplingClient {
    /// Draws sequences from a prompt and streams the tokens as they are drawn, if the server supports it; the embedded
    /// engine does. Other servers send each sequence as a whole when the sample is done.
    ///
    /// An interrupted stream is an error; the sample is not repeated. Nothing is sent before the first event is polled.
    ///
    #[doc = setup!(sampling)]
    /// use tinker_client::{SampleEvent, SamplingParams};
    ///
    /// let params = SamplingParams::default().with_max_tokens(8).with_seed(1);
    /// let mut events = sampling.stream([72, 105], params);
    /// let mut drawn = Vec::new();
    /// while let Some(event) = events.try_next().await? {
    ///     match event {
    ///         SampleEvent::Tokens { tokens, .. } => drawn.extend(tokens),
    ///         SampleEvent::Done(response) => assert_eq!(response.sequences[0].tokens, drawn),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`sample`](Self::sample), as the first event.
    pub fn stream(
        &self,
        prompt: impl Into<ModelInput>,
        options: impl Into<SampleOptions>,
    ) -> SampleStream {
        let (prompt, options) = (prompt.into(), options.into());
        if let Err(error) = self.check(&prompt, &options) {
            return SampleStream(stream::once(async { Err(error) }).boxed());
        }
        let inner = Arc::clone(&self.inner);
        let sampler = inner.current();
        let place = (Arc::clone(&sampler), sampler.next_position());
        let events = async move { Box::pin(inner.events(place, prompt, options)).await };
        SampleStream(stream::once(events).try_flatten().boxed())
    }
}

impl SampleStream {
    /// The next event; `None` after the last one. Cancel safe: dropping the future loses no event.
    ///
    /// # Errors
    /// The sample failed. No event follows.
    pub async fn try_next(&mut self) -> Result<Option<SampleEvent>, Error> {
        self.0.try_next().await
    }
}

impl Renewable {
    async fn events(
        self: Arc<Self>,
        (mut sampler, mut position): (Arc<Sampler>, u64),
        prompt: ModelInput,
        options: SampleOptions,
    ) -> Result<BoxStream<'static, Result<SampleEvent, Error>>, Error> {
        let tracker = Tracker::new(METHOD, &sampler.group, WaitingFor::Acceptance);
        let live = match sampler.live_events(position, &prompt, &options).await {
            Err(Error::SessionLost(lost)) => {
                sampler = self.replaced(&sampler, lost, &tracker).await?;
                position = sampler.next_position();
                sampler.live_events(position, &prompt, &options).await?
            }
            live => live?,
        };
        if let Some(live) = live {
            return Ok(live);
        }
        let place = (sampler, position);
        let wanted = Wanted {
            prompt: &prompt,
            options: &options,
            policy: None,
        };
        let response = self.sample(place, &wanted, &tracker).await?;
        Ok(stream::iter(whole(response).map(Ok)).boxed())
    }
}

impl Sampler {
    /// The events as they happen; `None` from a server without streaming.
    async fn live_events(
        &self,
        position: u64,
        prompt: &ModelInput,
        options: &SampleOptions,
    ) -> Result<Option<BoxStream<'static, Result<SampleEvent, Error>>>, Error> {
        let connection = self.state.connection().await?;
        if connection.lacks_streaming.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.check()?;
        let seq_id = self.seq_id(connection, METHOD, position).await?;
        let request = self.request(connection, seq_id, prompt.clone(), options);
        let slot = self.slot(connection).await;
        let subject = Arc::clone(self.group.id());
        let error = match open(connection, &request, &options.extra, subject).await {
            Ok(body) => {
                let events = Events::new(connection.api.answer_limit());
                let length = text_length(prompt);
                return Ok(Some(live(body, events, options.clone(), length, slot)));
            }
            Err(error) => self.explained(connection, error).await,
        };
        // A 404 of a session that lives is about the route.
        let is_route = |status: u16| matches!(status, 404 | 405 | 501);
        if !matches!(&error, Error::Status(error) if is_route(error.status().as_u16())) {
            return Err(error);
        }
        if !connection.lacks_streaming.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "the server does not stream tokens; sequences arrive when the sample is done"
            );
        }
        Ok(None)
    }
}

const EVENT_STREAM: &[u8] = b"text/event-stream";

/// Opens the stream.
async fn open(
    connection: &Connection,
    request: &SampleRequest,
    extra: &Map<String, Value>,
    subject: Arc<str>,
) -> Result<Body, Error> {
    let manner = connection.api.manner();
    let body = manner.to_json(OPERATION, &Extended { request, extra })?;
    // A lost stream cannot be resumed.
    let call = Call::new(OPERATION, Class::Sample)
        .with_caller(METHOD)
        .with_subject(subject)
        .with_replay(Replay::Unsafe)
        .with_weight(weight_of(&request.prompt));
    let request = request::build(
        Method::Post,
        locate(OPERATION, &[])?,
        Form::Json,
        body,
        call,
    );
    let response = connection.api.open(request).await?;
    let status = response.status();
    if status.is_success() {
        let form = response.headers().get(CONTENT_TYPE);
        if let Some(form) = form.filter(|form| !form.as_bytes().starts_with(EVENT_STREAM)) {
            let what = format!("the answer is {form:?} and not a stream of events");
            return Err(DecodeError::new(OPERATION, what).into());
        }
        return Ok(response.into_body());
    }
    let body = response.into_body().collect(1 << 20).await?;
    Err(StatusError::new(status, OPERATION, detail_of(&body)).into())
}

/// Events as they arrive. The sample keeps its slot until the last event or until the stream is dropped.
fn live(
    body: Body,
    events: Events,
    options: SampleOptions,
    length: Option<usize>,
    slot: Option<OwnedSemaphorePermit>,
) -> BoxStream<'static, Result<SampleEvent, Error>> {
    let frames = http_body_util::BodyStream::new(body);
    let state = Some((frames, events, VecDeque::new(), slot));
    stream::try_unfold(state, move |state| {
        let options = options.clone();
        async move {
            let Some((mut frames, mut events, mut ready, slot)) = state else {
                return Ok(None);
            };
            loop {
                match ready.pop_front().transpose()? {
                    Some(SampleEvent::Done(response)) => {
                        let response = check_response(*response, &options, length)?;
                        return Ok(Some((SampleEvent::Done(Box::new(response)), None)));
                    }
                    Some(event) => return Ok(Some((event, Some((frames, events, ready, slot))))),
                    None => {}
                }
                let frame = frames.next().await;
                let frame = frame.transpose().map_err(|error| {
                    let broken = TransportError::new(Kind::Interrupted, Stage::Answered, BROKEN);
                    Error::from(broken.with_source(error))
                })?;
                let frame = frame.ok_or_else(|| {
                    TransportError::new(Kind::Interrupted, Stage::Answered, BROKEN)
                })?;
                let data = frame.into_data().unwrap_or(Bytes::new());
                events.read(&data, &mut ready);
            }
        }
    })
    .boxed()
}

const BROKEN: &str = "the token stream was interrupted before the sample was done";

/// The events of a complete response.
fn whole(response: SampleResponse) -> impl Iterator<Item = SampleEvent> + Send {
    let tokens = |(sequence, drawn): (usize, &tinker_types::SampledSequence)| SampleEvent::Tokens {
        sequence,
        tokens: drawn.tokens.clone(),
        logprobs: drawn.logprobs.clone().unwrap_or_default(),
        stop_reason: Some(drawn.stop_reason),
    };
    let sequences = response.sequences.iter().enumerate();
    let events: Vec<SampleEvent> = sequences.map(tokens).collect();
    events
        .into_iter()
        .chain([SampleEvent::Done(Box::new(response))])
}

impl Stream for SampleStream {
    type Item = Result<SampleEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl fmt::Debug for SampleStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SampleStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
