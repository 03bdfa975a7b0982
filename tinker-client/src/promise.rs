//! One promise, from acceptance to result.

mod course;

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, StatusCode};
use tinker_transport::{Body, Call, Class, Kind, Outcome, Replay, TransportError};
use tinker_types::wire::header;
use tinker_types::{
    Endpoint, Method, Operation, RequestId, RequestType, RetrieveFuture, Retrieved, Submitted,
    Waiting as ServerWord,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::api::{self, Answer, Form, locate};
use crate::board::Board;
use crate::codec::{self, Output, Payload};
use crate::error::{DecodeError, Error, Gone, RequestFailed, Unreachable};
use crate::link::Link;
use crate::patience::Patience;
use crate::waiting::WaitingFor;
use course::Course;

/// What the server promised, and what it will be.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    pub(crate) operation: &'static str,
    pub(crate) request_type: RequestType,
    pub(crate) request_id: RequestId,
    /// When the operation began.
    pub(crate) started: Instant,
    /// From then to its acceptance.
    pub(crate) accepted_after: Duration,
}

/// What is known of a promise before it is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hint {
    /// Nothing.
    None,
    /// The server has been out of reach since then.
    Lost(Instant),
    /// Its result is there and has this size.
    Size(u64),
}

/// What one poll came to.
enum Turn {
    /// The result.
    Done(Payload),
    /// Ask again after this long.
    Again(Duration),
    /// The result is this large, and has to be asked for in full.
    SizeOnly(u64),
}

impl Promise {
    /// What was promised to an operation that began at `started`.
    pub(crate) fn of<O: Operation>(submitted: Submitted, started: Instant) -> Self {
        Self {
            operation: O::NAME,
            request_type: O::REQUEST_TYPE,
            request_id: submitted.request_id,
            started,
            accepted_after: started.elapsed(),
        }
    }

    /// Asks until there is a result or a final error. There is no time limit.
    pub(crate) async fn resolve<T: Output>(
        &self,
        link: &Arc<Link>,
        board: &Board,
    ) -> Result<T, Error> {
        self.resolve_after(link, board, ready(Hint::None)).await
    }

    /// The same, once there is a hint that it is worth asking.
    pub(crate) async fn resolve_after<T: Output>(
        &self,
        link: &Arc<Link>,
        board: &Board,
        hint: impl Future<Output = Hint>,
    ) -> Result<T, Error> {
        let mut course = Course::new(self, board);
        let hint = hint.await;
        let result = self.ask(link, hint, &mut course).await;
        course.end(result.as_ref().err());
        result
    }

    async fn ask<T: Output>(
        &self,
        link: &Arc<Link>,
        hint: Hint,
        course: &mut Course<'_>,
    ) -> Result<T, Error> {
        let mut patience = Patience::new(link.unreachable_after);
        // Held until the result is decoded.
        let mut _reserved: Option<OwnedSemaphorePermit> = None;
        let mut takes_size_only = true;
        match hint {
            Hint::None => {}
            Hint::Lost(since) => patience.lost_since(since),
            Hint::Size(bytes) => {
                course.set(WaitingFor::Payload { bytes });
                _reserved = link.answers.take(bytes).await;
                takes_size_only = false;
            }
        }
        loop {
            let request = self.poll(course.next_poll(), takes_size_only, course.method())?;
            let asked = Instant::now();
            let result = link.api.send(request).await;
            let took = asked.elapsed();
            let turn = match result {
                Ok(answer) => self.judge(answer, took, &mut patience, course)?,
                Err(error) => self.survive(error, &mut patience, course)?,
            };
            match turn {
                Turn::Done(payload) => return codec::decode(self.operation, payload).await,
                Turn::Again(Duration::ZERO) => {}
                Turn::Again(wait) => tokio::time::sleep(wait).await,
                Turn::SizeOnly(_) if !takes_size_only => {
                    let what = "the server answered with a size where the result was asked for";
                    return Err(DecodeError::new(self.operation, what).into());
                }
                Turn::SizeOnly(bytes) => {
                    course.set(WaitingFor::Payload { bytes });
                    _reserved = link.answers.take(bytes).await;
                    takes_size_only = false;
                }
            }
        }
    }

    fn poll(
        &self,
        iteration: u64,
        takes_size_only: bool,
        method: &'static str,
    ) -> Result<Request<Body>, Error> {
        let message =
            RetrieveFuture::new(self.request_id.clone()).with_metadata_only(takes_size_only);
        let body = codec::to_json(self.operation, &message)?;
        // The class has its own timeout, and is never repeated by the transport: this is the loop.
        let call = Call::new(RetrieveFuture::NAME, Class::Retrieve)
            .with_caller(method)
            .with_replay(Replay::Safe);
        let path = locate(RetrieveFuture::ROUTE, &[]);
        let mut request = api::build(Method::Post, &path, Form::Json, body, call)?;
        if self.request_type.is_protobuf() {
            Form::Protobuf.accept(&mut request);
        }
        let headers = request.headers_mut();
        headers.insert(
            HeaderName::from_static(header::REQUEST_TYPE),
            HeaderValue::from_static(self.request_type.as_str()),
        );
        headers.insert(
            HeaderName::from_static(header::REQUEST_ITERATION),
            HeaderValue::from(iteration),
        );
        let seconds = format!("{:.6}", self.accepted_after.as_secs_f64());
        if let Some(seconds) = HeaderValue::from_str(&seconds)
            .ok()
            .filter(|_| iteration == 0)
        {
            let name = HeaderName::from_static(header::PROMISE_ROUNDTRIP);
            headers.insert(name, seconds);
        }
        Ok(request)
    }

    /// What an answer means.
    fn judge(
        &self,
        answer: Answer,
        took: Duration,
        patience: &mut Patience,
        course: &mut Course<'_>,
    ) -> Result<Turn, Error> {
        if answer.status.is_success() {
            if answer.form == Form::Protobuf {
                return Ok(Turn::Done(Payload::Protobuf(answer.body)));
            }
            let body = codec::from_json(self.operation, &answer.body)?;
            let retrieved = Retrieved::from_json(body)
                .map_err(|error| DecodeError::new(self.operation, error.to_string()))?;
            return match retrieved {
                Retrieved::TryAgain(word) => {
                    course.hear(word);
                    Ok(Turn::Again(patience.not_yet(took)))
                }
                Retrieved::SizeOnly { bytes } => Ok(Turn::SizeOnly(bytes)),
                Retrieved::Done(value) => Ok(Turn::Done(Payload::Json(value))),
                Retrieved::Failed { error, category } => {
                    let id = self.request_id.clone();
                    Err(RequestFailed::new(self.operation, id, category, &error).into())
                }
                _ => Err(DecodeError::new(self.operation, "an answer of an unknown kind").into()),
            };
        }
        if answer.outcome == Outcome::EdgeRejection {
            course.trouble(WaitingFor::Connection, None, "an empty 400");
            return match patience.lost() {
                Some(wait) => Ok(Turn::Again(wait)),
                None => Err(self.refused(answer)),
            };
        }
        match answer.status {
            StatusCode::REQUEST_TIMEOUT => {
                if let Ok(word) = serde_json::from_slice::<ServerWord>(&answer.body) {
                    patience.forgive();
                    course.hear(word);
                }
                Ok(Turn::Again(patience.not_yet(took)))
            }
            status @ (StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::TOO_EARLY) => {
                match patience.bad_request(took) {
                    Some(wait) => {
                        let words = answer.words();
                        course.trouble(WaitingFor::Recovery { status }, Some(status), &words);
                        Ok(Turn::Again(wait))
                    }
                    None => Err(self.refused(answer)),
                }
            }
            status @ StatusCode::TOO_MANY_REQUESTS => {
                course.set(WaitingFor::Recovery { status });
                Ok(Turn::Again(patience.throttled()))
            }
            StatusCode::NOT_FOUND => {
                Err(Gone::unknown(self.request_id.clone(), self.operation).into())
            }
            StatusCode::GONE => Err(Gone::expired(self.request_id.clone(), self.operation).into()),
            status if status.is_server_error() => {
                let words = answer.words();
                course.trouble(WaitingFor::Recovery { status }, Some(status), &words);
                Ok(Turn::Again(patience.server_error(took)))
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

    /// What a poll without an answer means.
    fn survive(
        &self,
        error: TransportError,
        patience: &mut Patience,
        course: &mut Course<'_>,
    ) -> Result<Turn, Error> {
        let wait = match error.kind() {
            Kind::Config | Kind::Request | Kind::Credential | Kind::TooLarge => {
                return Err(error.into());
            }
            Kind::Timeout => patience.timed_out(),
            _ => patience.lost(),
        };
        let Some(wait) = wait else {
            let id = self.request_id.clone();
            return Err(Unreachable::new(self.operation, id, patience.lost_for(), error).into());
        };
        tracing::debug!(request_id = %self.request_id, %error, ?wait, "a poll got no answer");
        course.trouble(WaitingFor::Connection, None, &error.to_string());
        Ok(Turn::Again(wait))
    }
}

#[cfg(test)]
mod tests;
