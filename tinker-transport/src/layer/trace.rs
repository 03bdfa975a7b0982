//! Spans and events.

use std::task::{Context, Poll};

use http::{Request, Response};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tracing::Instrument;
use tracing::field::{Empty, display};

use super::scope::{Scope, Subject};
use crate::attempt::Effort;
use crate::body::Body;
use crate::error::TransportError;
use crate::service::{HttpService, ResponseFuture};

/// Tells `tracing` about calls or attempts, at level debug.
///
/// A call is a span `call` with `operation`, `class`, `method`, `path`, and at its end `status` or
/// `error`, and `attempts`. An attempt is an event within it. Neither shows a header, a query or a
/// body.
///
/// # Order
/// One for calls outermost, one for attempts inside the gate. Wrong: only the latter; the time a
/// call waits for permits and between tries would belong to no span.
#[derive(Debug, Clone)]
pub struct TraceLayer {
    scope: Scope,
}

impl TraceLayer {
    /// A span for each call.
    pub fn calls() -> Self {
        Self { scope: Scope::Call }
    }

    /// An event for each attempt.
    pub fn attempts() -> Self {
        Self {
            scope: Scope::Attempt,
        }
    }
}

/// Service made by [`TraceLayer`].
#[derive(Debug, Clone)]
pub struct Trace<S> {
    inner: S,
    scope: Scope,
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace {
            inner,
            scope: self.scope,
        }
    }
}

impl<S: HttpService> Service<Request<Body>> for Trace<S> {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let inner = self.inner.clone();
        let subject = Subject::of(&request);
        match self.scope {
            Scope::Call => call(inner, request, &subject),
            Scope::Attempt => Box::pin(attempt(inner, request, subject)),
        }
    }
}

fn call(inner: impl HttpService, request: Request<Body>, subject: &Subject) -> ResponseFuture {
    let span = tracing::debug_span!(
        "call",
        operation = subject.call.operation,
        class = subject.call.class.name(),
        method = %subject.method,
        path = subject.path,
        status = Empty,
        error = Empty,
        attempts = Empty,
    );
    let within = span.clone();
    let work = async move {
        let result = inner.oneshot(request).await;
        match &result {
            Ok(response) => {
                span.record("status", response.status().as_u16());
                if let Some(effort) = response.extensions().get::<Effort>() {
                    span.record("attempts", effort.attempts);
                }
            }
            Err(error) => {
                span.record("error", display(error));
                span.record("attempts", error.attempts());
            }
        }
        result
    };
    Box::pin(work.instrument(within))
}

async fn attempt(
    inner: impl HttpService,
    request: Request<Body>,
    subject: Subject,
) -> Result<Response<Body>, TransportError> {
    let began = Instant::now();
    let result = inner.oneshot(request).await;
    let (attempt, elapsed) = (subject.attempt, began.elapsed());
    match &result {
        Ok(response) => tracing::debug!(
            attempt,
            ?elapsed,
            status = response.status().as_u16(),
            "answered"
        ),
        Err(error) => tracing::debug!(attempt, ?elapsed, %error, "failed"),
    }
    result
}
