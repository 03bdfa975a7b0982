//! Trace layer: spans and events for `tracing`.

use std::pin::pin;
use std::time::Duration;

use http::Request;
use http::uri::Authority;
use tokio::time::Instant;
use tracing::field::{Empty, debug, display};
use tracing::{Instrument, Level, Span};

use super::around::{Around, tower_layer};
use super::scope::{Scope, Subject};
use crate::body::Body;
use crate::policy::Effort;
use crate::request::base_url::BaseUrl;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Reports calls or attempts to `tracing`, at level debug.
///
/// A call is a span `call`, an attempt an event within it. Names follow OpenTelemetry where it defines one:
/// `otel.name`, which is the operation, `otel.kind`, `http.request.method`, `url.path`, `server.address`,
/// `server.port`, `http.response.status_code`, `error.type` (a status from 400 on, or the [`Kind`](crate::Kind) of an
/// error); in addition `class`, `attempts`, `error`. Headers, queries and bodies are never shown.
///
/// An attempt layer runs within the span, so that a layer of three lines can send its context to the server in any
/// format:
///
/// ```
/// # use tinker_transport::{layer, TransportBuilder, TransportConfig};
/// # fn traceparent(_: &tracing::Span) -> http::HeaderValue {
/// #     http::HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
/// # }
/// let builder = TransportBuilder::from_config(TransportConfig::new("http://localhost:8000"))
///     .attempt_layer(layer::from_fn(|mut request: http::Request<_>, next: layer::Next| async move {
///         let context = traceparent(&tracing::Span::current());
///         request.headers_mut().insert("traceparent", context);
///         next.run(request).await
///     }));
/// ```
///
/// # Order
/// One for calls outermost, one for attempts inside the gate. Wrong: only the latter; the time a call waits for permits
/// and between tries would belong to no span.
#[derive(Debug, Clone)]
pub struct TraceLayer {
    scope: Scope,
    server: Option<Authority>,
}

impl TraceLayer {
    /// A span for each call.
    pub fn calls() -> Self {
        Self {
            scope: Scope::Call,
            server: None,
        }
    }

    /// An event for each attempt.
    pub fn attempts() -> Self {
        Self {
            scope: Scope::Attempt,
            server: None,
        }
    }

    tinker_types::setters! {
        /// Adds the server to spans.
        with_server(base: &BaseUrl) => server = Some(base.authority().clone());
    }
}

tower_layer!(TraceLayer makes Trace);

impl Around for TraceLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        match self.scope {
            Scope::Call => {
                let span = call_span(request, self.server.as_ref());
                // Pinned, as a span would move the future of the whole stack, some kilobytes.
                let answer = pin!(inner.run(request));
                let result = answer.instrument(span.clone()).await;
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

const STATUS: &str = "http.response.status_code";
const ERROR_TYPE: &str = "error.type";

fn call_span(request: &Request<Body>, server: Option<&Authority>) -> Span {
    if !tracing::enabled!(Level::DEBUG) {
        return Span::none();
    }
    let Subject {
        call, method, path, ..
    } = Subject::of(request);
    tracing::debug_span!(
        "call",
        otel.name = call.operation,
        otel.kind = "client",
        class = call.class.name(),
        http.request.method = %method,
        url.path = path,
        server.address = server.map(Authority::host),
        server.port = server.and_then(Authority::port_u16).map(i64::from),
        http.response.status_code = Empty,
        "error.type" = Empty,
        error = Empty,
        attempts = Empty,
    )
}

fn record(span: &Span, result: &Answer) {
    match result {
        Ok(response) => {
            let status = response.status();
            // Signed, as exporters of OpenTelemetry write other numbers as text.
            span.record(STATUS, i64::from(status.as_u16()));
            if status.as_u16() >= 400 {
                span.record(ERROR_TYPE, status.as_str());
            }
            if let Some(effort) = response.extensions().get::<Effort>() {
                span.record("attempts", i64::from(effort.attempts));
            }
        }
        Err(error) => {
            span.record(ERROR_TYPE, debug(error.kind()));
            span.record("error", display(error));
            span.record("attempts", i64::from(error.attempts()));
        }
    }
}

fn report(attempt: u32, elapsed: Duration, result: &Answer) {
    match result {
        Ok(response) => tracing::debug!(
            attempt,
            ?elapsed,
            http.response.status_code = response.status().as_u16(),
            "answered"
        ),
        Err(error) => {
            tracing::debug!(attempt, ?elapsed, "error.type" = ?error.kind(), %error, "failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixture::{request, scripted, traced};
    use crate::flow::class::Class;
    use crate::flow::class::PerClass;
    use crate::layer::{AuthLayer, Next, RetryLayer, TimeoutLayer, from_fn};
    use crate::request::call::Call;
    use crate::request::replay::Replay;
    use crate::stack::builder::TransportBuilder;
    use crate::stack::config::TransportConfig;
    use crate::stack::transport::Transport;
    use crate::testing::{Script, never};

    #[tokio::test(start_paused = true)]
    async fn a_call_is_a_span_its_attempts_are_events_and_no_key_is_told() {
        let (lines, guard) = traced();
        let (leaf, _) = scripted(&[503]);
        let transport = leaf
            .layer(AuthLayer::new(Arc::new(crate::ApiKey::new("hunter2"))))
            .layer(TraceLayer::attempts())
            .layer(RetryLayer::new())
            .layer(TraceLayer::calls().with_server(&"http://home.test:81/x".parse().unwrap()));
        let mut listing = request(Call::new("list", Class::Rest).with_replay(Replay::Safe));
        *listing.uri_mut() = "/api/v1/runs?token=hunter2".parse().unwrap();
        transport.call(listing).await.unwrap();
        drop(guard);

        let text = lines.text();
        let span = r#"call{otel.name="list" otel.kind="client" class="rest" http.request.method=POST url.path="/api/v1/runs" server.address="home.test" server.port=81"#;
        assert!(text.lines().all(|line| line.contains(span)), "{text}");
        for part in [
            "answered attempt=1 elapsed=0ns http.response.status_code=503",
            "answered attempt=2",
            "trying again",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let last = text.lines().last().unwrap();
        assert!(
            last.contains("http.response.status_code=200 attempts=2"),
            "{last}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
    #[tokio::test(start_paused = true)]
    async fn what_went_wrong_has_a_type() {
        let (lines, guard) = traced();
        let broken = Transport::new(never()).layer(TimeoutLayer::new(PerClass::default()));
        for leaf in [scripted(&[404]).0, broken] {
            let transport = leaf
                .layer(TraceLayer::attempts())
                .layer(TraceLayer::calls());
            let _ = transport.call(request(Call::new("x", Class::Rest))).await;
        }
        drop(guard);
        let text = lines.text();
        for part in [r#"error.type="404""#, "error.type=Timeout"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_layer_of_the_user_carries_the_context_of_the_span_with_every_try() {
        let (_lines, _guard) = traced();
        let script = Script::new().answer(503, "").answer(200, "");
        let carry = from_fn(|mut request: Request<Body>, next: Next| async move {
            let span = Span::current();
            assert_eq!(span.metadata().unwrap().name(), "call");
            let context = format!(
                "00-{:032x}-00f067aa0ba902b7-01",
                span.id().unwrap().into_u64()
            );
            request
                .headers_mut()
                .insert("traceparent", context.parse().unwrap());
            next.run(request).await
        });
        let transport = TransportBuilder::from_config(TransportConfig::new("http://home.test"))
            .attempt_layer(carry)
            .leaf(script.clone())
            .build()
            .unwrap();
        let call = Call::new("x", Class::Rest).with_replay(Replay::Safe);
        transport.call(request(call)).await.unwrap();
        let sent = script.requests();
        let contexts: Vec<_> = sent
            .iter()
            .map(|sent| &sent.headers()["traceparent"])
            .collect();
        assert!(
            contexts.len() == 2 && contexts[0] == contexts[1],
            "{contexts:?}"
        );
    }
}
