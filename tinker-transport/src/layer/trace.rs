//! Spans and events.

use std::time::Duration;

use http::Request;
use tokio::time::Instant;
use tracing::field::{Empty, display};
use tracing::{Instrument, Level, Span};

use super::around::{Around, tower_layer};
use super::scope::{Scope, Subject};
use crate::body::Body;
use crate::effort::Effort;
use crate::service::{Answer, Inner};

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

tower_layer!(TraceLayer makes Trace);

impl Around for TraceLayer {
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        match self.scope {
            Scope::Call => {
                let span = call_span(request);
                let result = inner.run(request).instrument(span.clone()).await;
                record(&span, &result);
                result
            }
            Scope::Attempt => {
                let began = tracing::enabled!(Level::DEBUG)
                    .then(|| (Subject::of(request).attempt, Instant::now()));
                let result = inner.run(request).await;
                if let Some((attempt, began)) = began {
                    report(attempt, began.elapsed(), &result);
                }
                result
            }
        }
    }
}

fn call_span(request: &Request<Body>) -> Span {
    if !tracing::enabled!(Level::DEBUG) {
        return Span::none();
    }
    let Subject {
        call, method, path, ..
    } = Subject::of(request);
    tracing::debug_span!(
        "call",
        operation = call.operation,
        class = call.class.name(),
        %method,
        path,
        status = Empty,
        error = Empty,
        attempts = Empty,
    )
}

fn record(span: &Span, result: &Answer) {
    match result {
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
}

fn report(attempt: u32, elapsed: Duration, result: &Answer) {
    match result {
        Ok(response) => tracing::debug!(
            attempt,
            ?elapsed,
            status = response.status().as_u16(),
            "answered"
        ),
        Err(error) => tracing::debug!(attempt, ?elapsed, %error, "failed"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::{Call, Replay};
    use crate::class::Class;
    use crate::fixture::{request, scripted, traced};
    use crate::layer::{AuthLayer, RetryLayer};

    #[tokio::test(start_paused = true)]
    async fn a_call_is_a_span_its_attempts_are_events_and_no_key_is_told() {
        let (lines, guard) = traced();
        let (leaf, _) = scripted(&[503]);
        let transport = leaf
            .layer(AuthLayer::new(Arc::new(crate::ApiKey::new("hunter2"))))
            .layer(TraceLayer::attempts())
            .layer(RetryLayer::new())
            .layer(TraceLayer::calls());
        let mut listing = request(Call::new("list", Class::Rest).with_replay(Replay::Safe));
        *listing.uri_mut() = "/api/v1/runs?token=hunter2".parse().unwrap();
        transport.call(listing).await.unwrap();
        drop(guard);

        let text = lines.text();
        let span = r#"call{operation="list" class="rest" method=POST path="/api/v1/runs""#;
        assert!(text.lines().all(|line| line.contains(span)), "{text}");
        for part in [
            "answered attempt=1 elapsed=0ns status=503",
            "answered attempt=2",
            "trying again",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let last = text.lines().last().unwrap();
        assert!(last.contains("status=200 attempts=2"), "{last}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
