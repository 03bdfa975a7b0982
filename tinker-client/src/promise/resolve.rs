//! Polling for one promise, from acceptance to result.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, StatusCode};
use tinker_transport::policy::Outcome;
use tinker_transport::{Body, Class, Kind, TransportError};
use tinker_types::wire::header;
use tinker_types::{Method, QueueStatus, RetrieveFuture, Retrieved};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::record::{Hint, Promise};
use super::state::PollState;
use crate::error::{DecodeError, Error, Gone, RequestFailed, Unreachable, one_line};
use crate::operation::{tracker::Tracker, waiting::WaitingFor};
use crate::promise::backoff::PollBackoff;
use crate::session::connection::Connection;
use crate::wire::codec::{self, Output, Payload};
use crate::wire::constant::header_value;
use crate::wire::request::{Form, address, repeatable};
use crate::wire::{api::Answer, request};

const REQUEST_TYPE: HeaderName = HeaderName::from_static(header::REQUEST_TYPE);
const REQUEST_ITERATION: HeaderName = HeaderName::from_static(header::REQUEST_ITERATION);
const PROMISE_ROUNDTRIP: HeaderName = HeaderName::from_static(header::PROMISE_ROUNDTRIP);

/// The outcome of one poll.
enum PollOutcome {
    /// The result.
    Done(Payload),
    /// Poll again after this pause.
    Again(Duration),
    /// The size of a large result, which must be requested in full.
    SizeOnly(u64),
}

impl Promise {
    /// Polls until there is a result or a final error, without a time limit.
    pub(crate) async fn resolve<T: Output>(
        &self,
        connection: &Arc<Connection>,
        tracker: &Tracker,
    ) -> Result<T, Error> {
        self.resolve_after(connection, tracker, ready(Hint::None))
            .await
    }

    /// Waits for a hint, then polls as [`resolve`](Self::resolve) does.
    pub(crate) async fn resolve_after<T: Output>(
        &self,
        connection: &Arc<Connection>,
        tracker: &Tracker,
        hint: impl Future<Output = Hint>,
    ) -> Result<T, Error> {
        let mut poll = PollState::new(self, tracker);
        let hint = hint.await;
        let result = self.ask(connection, hint, &mut poll).await;
        poll.end(result.as_ref().err());
        result
    }

    async fn ask<T: Output>(
        &self,
        connection: &Arc<Connection>,
        hint: Hint,
        poll: &mut PollState<'_>,
    ) -> Result<T, Error> {
        let mut backoff = PollBackoff::new(connection.unreachable_after, connection.poll_waits);
        // Released when the result is decoded.
        let mut _reserved: Option<OwnedSemaphorePermit> = None;
        let mut takes_size_only = true;
        match hint {
            Hint::None => {}
            Hint::Lost(since) => backoff.lost_since(since),
            Hint::Size(bytes) => {
                poll.set(WaitingFor::Payload { bytes });
                _reserved = connection.answers.take(bytes).await;
                takes_size_only = false;
            }
        }
        loop {
            // A block, so that the future has no space for the answer beside that for what follows.
            let outcome = {
                let request = self.poll(poll.next_poll(), takes_size_only, poll)?;
                let asked = Instant::now();
                let result = connection.api.send(request).await;
                match result {
                    Ok(answer) => self.judge(answer, asked.elapsed(), &mut backoff, poll)?,
                    Err(error) => self.judge_failure(error, &mut backoff, poll)?,
                }
            };
            match outcome {
                PollOutcome::Done(payload) => return codec::decode(self.operation, payload).await,
                PollOutcome::Again(Duration::ZERO) => {}
                PollOutcome::Again(wait) => tokio::time::sleep(wait).await,
                PollOutcome::SizeOnly(_) if !takes_size_only => {
                    let what = "the server answered with a size where the result was asked for";
                    return Err(DecodeError::new(self.operation, what).into());
                }
                PollOutcome::SizeOnly(bytes) => {
                    poll.set(WaitingFor::Payload { bytes });
                    _reserved = connection.answers.take(bytes).await;
                    takes_size_only = false;
                }
            }
        }
    }

    fn poll(
        &self,
        iteration: u64,
        takes_size_only: bool,
        state: &PollState<'_>,
    ) -> Result<Request<Body>, Error> {
        let message =
            RetrieveFuture::new(self.request_id.clone()).with_metadata_only(takes_size_only);
        let body = codec::to_json(self.operation, &message)?;
        // The transport does not retry this class: this loop does.
        let call = state.identify(repeatable::<RetrieveFuture>(Class::Retrieve));
        let path = address(&message)?;
        let mut request = request::build(Method::Post, path, Form::Json, body, call);
        if self.request_type.is_protobuf() {
            Form::Protobuf.accept(&mut request);
        }
        let headers = request.headers_mut();
        headers.insert(REQUEST_TYPE, header_value(self.request_type.as_str()));
        headers.insert(
            REQUEST_ITERATION,
            match iteration {
                0 => HeaderValue::from_static("0"),
                _ => HeaderValue::from(iteration),
            },
        );
        let after = self.accepted_after;
        if iteration == 0
            && let Ok(seconds) =
                HeaderValue::try_from(format!("{}.{:06}", after.as_secs(), after.subsec_micros()))
        {
            headers.insert(PROMISE_ROUNDTRIP, seconds);
        }
        Ok(request)
    }

    /// Interprets an answer.
    fn judge(
        &self,
        answer: Answer,
        took: Duration,
        backoff: &mut PollBackoff,
        poll: &mut PollState<'_>,
    ) -> Result<PollOutcome, Error> {
        if answer.status.is_success() {
            if answer.form == Form::Protobuf {
                return Ok(PollOutcome::Done(Payload::Protobuf(answer.body)));
            }
            let body = codec::value(self.operation, &answer.body)?;
            let retrieved = Retrieved::from_json(body)
                .map_err(|error| DecodeError::new(self.operation, error.to_string()))?;
            return match retrieved {
                Retrieved::TryAgain(word) => {
                    poll.note_queue_state(word);
                    Ok(PollOutcome::Again(backoff.not_yet(took)))
                }
                Retrieved::SizeOnly { bytes } => Ok(PollOutcome::SizeOnly(bytes)),
                Retrieved::Done(value) => Ok(PollOutcome::Done(Payload::Json(value))),
                Retrieved::Failed { error, category } => {
                    let id = self.request_id.clone();
                    Err(RequestFailed::new(self.operation, id, category, &error).into())
                }
                _ => {
                    Err(DecodeError::new(self.operation, "the answer is of an unknown kind").into())
                }
            };
        }
        if answer.outcome == Outcome::EdgeRejection {
            poll.note_failure(None, "an empty 400");
            return match backoff.lost() {
                Some(wait) => Ok(PollOutcome::Again(wait)),
                None => Err(self.refused(answer)),
            };
        }
        match answer.status {
            StatusCode::REQUEST_TIMEOUT => {
                if let Ok(word) = serde_json::from_slice::<QueueStatus>(&answer.body) {
                    backoff.forgive();
                    poll.note_queue_state(word);
                }
                Ok(PollOutcome::Again(backoff.not_yet(took)))
            }
            status @ (StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::TOO_EARLY) => {
                match backoff.bad_request(took) {
                    Some(wait) => {
                        poll.note_failure(Some(status), &answer.detail());
                        Ok(PollOutcome::Again(wait))
                    }
                    None => Err(self.refused(answer)),
                }
            }
            status @ StatusCode::TOO_MANY_REQUESTS => {
                poll.set(WaitingFor::Recovery { status });
                Ok(PollOutcome::Again(backoff.throttled()))
            }
            status @ (StatusCode::NOT_FOUND | StatusCode::GONE) => {
                let has_expired = status == StatusCode::GONE;
                let detail = answer.detail();
                let id = self.request_id.clone();
                Err(Gone::new(self.operation, id, has_expired, detail).into())
            }
            status if status.is_server_error() => {
                poll.note_failure(Some(status), &answer.detail());
                Ok(PollOutcome::Again(backoff.server_error(took)))
            }
            _ => Err(self.refused(answer)),
        }
    }

    fn refused(&self, answer: Answer) -> Error {
        answer
            .into_error_of(self.operation)
            .with_request_id(self.request_id.clone())
            .into()
    }

    /// Interprets a poll without an answer.
    fn judge_failure(
        &self,
        error: TransportError,
        backoff: &mut PollBackoff,
        poll: &mut PollState<'_>,
    ) -> Result<PollOutcome, Error> {
        let wait = match error.kind() {
            Kind::Config | Kind::Request | Kind::Credential | Kind::TooLarge => {
                return Err(error.into());
            }
            Kind::Timeout => backoff.timed_out(),
            _ => backoff.lost(),
        };
        let Some(wait) = wait else {
            let id = self.request_id.clone();
            return Err(Unreachable::new(self.operation, id, backoff.lost_for(), error).into());
        };
        tracing::debug!(request_id = %self.request_id, %error, ?wait, "a poll was not answered");
        poll.note_failure(None, &one_line(&error));
        Ok(PollOutcome::Again(wait))
    }
}

#[cfg(test)]
mod tests;
