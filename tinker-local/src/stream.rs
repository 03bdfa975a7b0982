//! Token streams of samples.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tinker_types::proto::decode_sample;
use tinker_types::{ErrorCategory, RequestId, SampleResponse, StopReason};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Sleep, sleep};

use crate::state::{Found, Payload};
use crate::work::{Operations, Piece};

/// Interval of keep-alive comments, so that proxies do not close an idle connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// What a watched sample tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SampleEvent {
    /// Some tokens of one sequence, which follow those told before.
    #[non_exhaustive]
    Tokens {
        /// Number of the sequence within the request, from 0.
        sequence: usize,
        /// Token ids.
        tokens: Vec<u32>,
        /// Their log probabilities.
        logprobs: Vec<f32>,
        /// How the sequence ended, if these are its last tokens.
        stop_reason: Option<StopReason>,
    },
    /// It is done: all of it once more, with what was asked about the prompt. The last event.
    Done(Box<SampleResponse>),
    /// It failed. The last event.
    #[non_exhaustive]
    Failed {
        /// What the engine says.
        error: String,
        /// Whose fault it is.
        category: ErrorCategory,
    },
}

/// A sample whose tokens are told while they are drawn, see [`LocalEngine::stream`](crate::LocalEngine::stream).
///
/// Dropping it before its end cancels the sample. Its result can be fetched like that of any sample too.
pub struct SampleStream {
    operations: Arc<Operations>,
    id: RequestId,
    pieces: UnboundedReceiver<Piece>,
    has_ended: bool,
}

impl SampleStream {
    pub(crate) fn new(
        operations: Arc<Operations>,
        id: RequestId,
        pieces: UnboundedReceiver<Piece>,
    ) -> Self {
        Self {
            operations,
            id,
            pieces,
            has_ended: false,
        }
    }

    /// Id of the sample's promise.
    pub fn request_id(&self) -> &RequestId {
        &self.id
    }

    /// The next event, or `None` after the last. Cancel safe.
    pub async fn next(&mut self) -> Option<SampleEvent> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<SampleEvent>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        match self.pieces.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(piece)) => Poll::Ready(Some(SampleEvent::Tokens {
                sequence: piece.sequence,
                tokens: piece.tokens,
                logprobs: piece.logprobs,
                stop_reason: piece.ended,
            })),
            // The sender is gone, so the outcome is known.
            Poll::Ready(None) => {
                self.has_ended = true;
                Poll::Ready(Some(self.outcome()))
            }
        }
    }

    fn outcome(&self) -> SampleEvent {
        let failed = |error: String, category| SampleEvent::Failed { error, category };
        let lost = || {
            let error = "the result is no longer kept; sample again".to_owned();
            failed(error, ErrorCategory::Server)
        };
        let Found::Known(promise) = self.operations.promises.find(&self.id) else {
            return lost();
        };
        match promise.outcome() {
            Some(Ok(Payload::Sample(bytes))) => match decode_sample(bytes.clone()) {
                Ok(response) => SampleEvent::Done(Box::new(response)),
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

/// A watched sample as server-sent events: `accepted`, any number of `tokens`, and `done` or `error`.
pub(crate) struct Events {
    stream: SampleStream,
    first: Option<Bytes>,
    silence: Pin<Box<Sleep>>,
}

impl Events {
    /// `first` is sent before all other events.
    pub(crate) fn new(stream: SampleStream, first: Bytes) -> Self {
        Self {
            stream,
            first: Some(first),
            silence: Box::pin(sleep(SIGN_OF_LIFE)),
        }
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if let Poll::Ready(event) = self.stream.poll_next(context) {
            self.silence.set(sleep(SIGN_OF_LIFE));
            return Poll::Ready(event.map(encode));
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

fn encode(event: SampleEvent) -> Bytes {
    let (name, data): (&str, Value) = match event {
        SampleEvent::Tokens {
            sequence,
            tokens,
            logprobs,
            stop_reason,
        } => {
            let mut data = json!({ "sequence": sequence, "tokens": tokens, "logprobs": logprobs });
            if let Some(reason) = stop_reason {
                data["stop_reason"] = json!(reason);
            }
            ("tokens", data)
        }
        SampleEvent::Done(response) => {
            let mut body = json!(response);
            body["type"] = "sample".into();
            ("done", body)
        }
        SampleEvent::Failed { error, category } => {
            ("error", json!({ "error": error, "category": category }))
        }
    };
    // JSON on one line holds no line break, which would end the event.
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
