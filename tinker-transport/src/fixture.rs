//! Shared helpers of the unit tests.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use tokio::time::Instant;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::body::Body;
use crate::error::TransportError;
use crate::observe::event::Event;
use crate::observe::observer::Observers;
use crate::request::call::Call;
use crate::stack::transport::Transport;

/// A body that arrives in the given pieces.
pub(crate) fn chunks(parts: &[&'static str]) -> Body {
    struct Chunks(VecDeque<&'static str>);
    impl http_body::Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(
                self.0
                    .pop_front()
                    .map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))),
            )
        }
    }
    Body::new(Chunks(parts.iter().copied().collect()))
}

/// A POST to `/x` that carries `call`.
pub(crate) fn request(call: Call) -> Request<Body> {
    Request::post("/x")
        .extension(call)
        .body(Body::from("body"))
        .unwrap()
}

/// A response without a body.
pub(crate) fn answer(status: u16) -> Response<Body> {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .body(Body::empty())
        .unwrap()
}

/// A leaf from an async closure.
pub(crate) fn leaf<F, Fut>(answer: F) -> Transport
where
    F: Fn(Request<Body>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<Body>, TransportError>> + Send + 'static,
{
    Transport::new(tower::service_fn(answer))
}

/// A leaf with these responses in order, then 200 for all further requests; and the times of the requests in seconds on
/// the clock of the test.
pub(crate) fn scripted(statuses: &[u16]) -> (Transport, Seen) {
    let queue = Arc::new(Mutex::new(
        statuses.iter().copied().collect::<VecDeque<_>>(),
    ));
    let seen = Seen::new();
    let log = seen.clone();
    let transport = leaf(move |request| {
        log.note(request);
        let status = queue.lock().unwrap().pop_front().unwrap_or(200);
        async move { Ok(answer(status)) }
    });
    (transport, seen)
}

type Noted = (Duration, Request<Body>);

/// Requests a leaf received, with their times.
#[derive(Clone)]
pub(crate) struct Seen {
    start: Instant,
    requests: Arc<Mutex<Vec<Noted>>>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            requests: Arc::default(),
        }
    }

    pub(crate) fn note(&self, request: Request<Body>) {
        self.requests
            .lock()
            .unwrap()
            .push((self.start.elapsed(), request));
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// Whole seconds; the paused clock is exact.
    pub(crate) fn seconds(&self) -> Vec<f64> {
        self.requests
            .lock()
            .unwrap()
            .iter()
            .map(|(at, _)| at.as_millis() as f64 / 1000.0)
            .collect()
    }

    /// Takes the requests.
    pub(crate) fn take(&self) -> Vec<Request<Body>> {
        std::mem::take(&mut *self.requests.lock().unwrap())
            .into_iter()
            .map(|(_, request)| request)
            .collect()
    }
}

/// A subscriber that nobody uses. With one subscriber in all, an event that another thread logs first is switched off for
/// every thread if that thread has no subscriber.
static SECOND: LazyLock<tracing::Dispatch> =
    LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::fmt().finish()));

/// Output of `tracing` on this thread.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Collects all output of `tracing` on this thread until the guard is dropped.
pub(crate) fn traced() -> (Lines, DefaultGuard) {
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let sink = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || sink.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

/// A list with one observer, and the events it received.
pub(crate) fn events() -> (Observers, Arc<Mutex<Vec<String>>>) {
    let observers = Observers::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    observers.attach(Arc::new(move |event: &Event<'_>| {
        log.lock().unwrap().push(format!("{event:?}"));
    }));
    (observers, told)
}
