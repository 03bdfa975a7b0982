//! Tokens as they are drawn.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use tinker_transport::{Body, Call, Class, Kind, Replay, Stage, TransportError};
use tinker_types::wire::route;
use tinker_types::{Method, ModelInput, SampleRequest, SampleResponse};
use tokio::sync::OwnedSemaphorePermit;

use super::check::{check_prompt, check_response};
use super::event::SampleEvent;
use super::events::Events;
use super::{Sampler, SamplingClient, weight_of};
use crate::api::{self, Form, locate};
use crate::board::Board;
use crate::codec;
use crate::error::{Error, StatusError, detail_of};
use crate::link::Link;
use crate::options::SampleOptions;
use crate::waiting::WaitingFor;

const OPERATION: &str = route::STREAM_SAMPLE;
const METHOD: &str = "SamplingClient.stream";

/// A sample on its way, event by event: a [`Stream`], and usable without one by
/// [`next_event`](Self::next_event). It ends after [`SampleEvent::Done`] or the first error.
/// Dropping it cancels the sample.
#[must_use = "nothing is sent before an event is asked for"]
pub struct SampleStream(BoxStream<'static, Result<SampleEvent, Error>>);

impl SamplingClient {
    /// Draws sequences after a prompt and tells the tokens as they are drawn, where the server can:
    /// the embedded engine does. Others tell each sequence as a whole when the sample is done.
    ///
    /// A stream that breaks off is an error; the sample is not drawn again. Nothing is sent before
    /// the first event is asked for.
    ///
    #[doc = setup!(sampling)]
    /// use tinker_client::{ModelInput, SampleEvent, SamplingParams};
    ///
    /// let params = SamplingParams::default().with_max_tokens(8).with_seed(1);
    /// let mut events = sampling.stream(ModelInput::from_tokens([72, 105]), params);
    /// let mut told = Vec::new();
    /// while let Some(event) = events.next_event().await? {
    ///     match event {
    ///         SampleEvent::Tokens { tokens, .. } => told.extend(tokens),
    ///         SampleEvent::Done(response) => assert_eq!(response.sequences[0].tokens, told),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`sample`](Self::sample), as the first event.
    pub fn stream(&self, prompt: ModelInput, options: impl Into<SampleOptions>) -> SampleStream {
        let options = options.into();
        let check = || {
            options.check()?;
            check_prompt(&prompt)?;
            Ok::<_, Error>(self.inner.core.check_open()?)
        };
        if let Err(error) = check() {
            return SampleStream(stream::once(async { Err(error) }).boxed());
        }
        let sampler = Arc::clone(&self.inner);
        let position = sampler.next_position();
        let events = async move { sampler.events(position, prompt, options).await };
        SampleStream(stream::once(events).try_flatten().boxed())
    }
}

impl SampleStream {
    /// The next event; `None` after the last. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The sample failed; no event follows.
    pub async fn next_event(&mut self) -> Result<Option<SampleEvent>, Error> {
        self.0.try_next().await
    }
}

impl Sampler {
    async fn events(
        self: Arc<Self>,
        position: u64,
        prompt: ModelInput,
        options: SampleOptions,
    ) -> Result<BoxStream<'static, Result<SampleEvent, Error>>, Error> {
        let link = self.core.link().await?;
        if !link.streams_nothing.load(Ordering::Relaxed) {
            let seq_id = self.number.seq_id(link, &self.id, METHOD, position).await?;
            let mut request = options.request(self.id.clone(), seq_id, prompt.clone());
            request.record_stability_info |= self.records_stability;
            let slot = self.slot(link).await;
            if let Some(body) = open(link, &request).await? {
                let events = Events::new(link.api.answer_limit());
                return Ok(live(body, events, options, slot));
            }
            if !link.streams_nothing.swap(true, Ordering::Relaxed) {
                tracing::info!("the server streams no tokens; samples are told when they are done");
            }
        }
        let board = Board::new(METHOD, &self.line, WaitingFor::Acceptance);
        let response = self.sample(position, prompt, &options, &board).await?;
        Ok(stream::iter(whole(response).map(Ok)).boxed())
    }
}

/// The body of the stream; nothing from a server that has none.
async fn open(link: &Link, request: &SampleRequest) -> Result<Option<Body>, Error> {
    let body = codec::to_json(OPERATION, request)?;
    // The tokens of a stream that was lost cannot be told again.
    let call = Call::new(OPERATION, Class::Sample)
        .with_caller(METHOD)
        .with_replay(Replay::Unsafe)
        .with_weight(weight_of(&request.prompt));
    let request = api::build(
        Method::Post,
        &locate(OPERATION, &[]),
        Form::Json,
        body,
        call,
    )?;
    let response = link.api.open(request).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(Some(response.into_body()));
    }
    if matches!(status.as_u16(), 404 | 405 | 501) {
        return Ok(None);
    }
    let body = response.into_body().collect(1 << 20).await?;
    Err(StatusError::new(status, OPERATION, detail_of(&body)).into())
}

/// Events as they arrive. The sample is under way, and keeps its place, until the last of them or
/// until nobody listens.
fn live(
    body: Body,
    events: Events,
    options: SampleOptions,
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
                        let response = check_response(*response, &options)?;
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

const BROKEN: &str = "the stream of tokens broke off before the sample was done";

/// A response as events.
fn whole(response: SampleResponse) -> impl Iterator<Item = SampleEvent> + Send {
    let tokens = |(sequence, drawn): (usize, &tinker_types::SampledSequence)| SampleEvent::Tokens {
        sequence,
        tokens: drawn.tokens.clone(),
        logprobs: drawn.logprobs.clone().unwrap_or_default(),
        stop_reason: Some(drawn.stop_reason),
    };
    let sequences = response.sequences.iter().enumerate();
    let told: Vec<SampleEvent> = sequences.map(tokens).collect();
    told.into_iter()
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
