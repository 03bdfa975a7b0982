//! Token streams of samples.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tinker_types::proto::decode_sample;
use tinker_types::wire::stream::{StreamEvent, StreamFailure, StreamTokens};
use tinker_types::{ErrorCategory, RequestId};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Sleep, sleep};

use crate::state::{Found, Payload};
use crate::work::Operations;

/// Interval of keep-alive comments, so that proxies do not close an idle connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Token stream of a sample, see [`LocalEngine::stream`](crate::LocalEngine::stream).
///
/// Dropping it before its end cancels the sample. The result can also be fetched like that of any sample.
pub struct SampleStream {
    operations: Arc<Operations>,
    id: RequestId,
    tokens: UnboundedReceiver<StreamTokens>,
    has_ended: bool,
}

impl SampleStream {
    pub(crate) fn new(
        operations: Arc<Operations>,
        id: RequestId,
        tokens: UnboundedReceiver<StreamTokens>,
    ) -> Self {
        Self {
            operations,
            id,
            tokens,
            has_ended: false,
        }
    }

    /// Id of the sample's promise.
    pub fn request_id(&self) -> &RequestId {
        &self.id
    }

    /// The next event, or `None` after the last. Cancel safe.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        match self.tokens.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(tokens)) => Poll::Ready(Some(StreamEvent::Tokens(tokens))),
            // The sender is gone, so the outcome is known.
            Poll::Ready(None) => {
                self.has_ended = true;
                Poll::Ready(Some(self.outcome()))
            }
        }
    }

    fn outcome(&self) -> StreamEvent {
        let failed =
            |error: String, category| StreamEvent::Failed(StreamFailure::new(error, category));
        let lost = || {
            let error = "the result is no longer kept; sample again".to_owned();
            failed(error, ErrorCategory::Server)
        };
        let Found::Known(promise) = self.operations.promises.find(&self.id) else {
            return lost();
        };
        match promise.outcome() {
            Some(Ok(Payload::Sample(bytes))) => match decode_sample(bytes.clone()) {
                Ok(response) => StreamEvent::Done(Box::new(response)),
                Err(error) => failed(error.to_string(), ErrorCategory::Server),
            },
            Some(Err(failure)) => failed(failure.error.clone(), failure.category),
            Some(Ok(_)) | None => lost(),
        }
    }
}

impl Drop for SampleStream {
    fn drop(&mut self) {
        if !self.has_ended {
            self.operations.cancel_sample(&self.id);
        }
    }
}

impl fmt::Debug for SampleStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SampleStream")
            .field("request_id", &self.id)
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}

/// A token stream as server-sent events.
pub(crate) struct Events {
    stream: SampleStream,
    first: Option<Bytes>,
    silence: Pin<Box<Sleep>>,
}

impl Events {
    /// `first` is sent before all other events.
    pub(crate) fn new(stream: SampleStream, first: &StreamEvent) -> Self {
        Self {
            stream,
            first: Some(first.to_text().into()),
            silence: Box::pin(sleep(SIGN_OF_LIFE)),
        }
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if let Poll::Ready(event) = self.stream.poll_next(context) {
            self.silence.set(sleep(SIGN_OF_LIFE));
            return Poll::Ready(event.map(|event| event.to_text().into()));
        }
        if self.silence.as_mut().poll(context).is_ready() {
            self.silence.set(sleep(SIGN_OF_LIFE));
            // Polls the new timer.
            context.waker().wake_by_ref();
            return Poll::Ready(Some(Bytes::from_static(b": waiting\n\n")));
        }
        Poll::Pending
    }
}
