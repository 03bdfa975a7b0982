//! What the unit tests of this crate share.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use tokio::time::Instant;

use crate::body::Body;
use crate::call::Call;
use crate::error::TransportError;
use crate::transport::Transport;

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

/// An answer without a body.
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

/// A leaf that gives these answers in order, then 200 for ever, and the seconds at which it was
/// asked, on the test's clock.
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

/// Requests a leaf saw, and when.
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

    /// Whole seconds; the paused clock stands exactly on them.
    pub(crate) fn seconds(&self) -> Vec<f64> {
        self.requests
            .lock()
            .unwrap()
            .iter()
            .map(|(at, _)| at.as_millis() as f64 / 1000.0)
            .collect()
    }

    /// Takes the requests out.
    pub(crate) fn take(&self) -> Vec<Request<Body>> {
        std::mem::take(&mut *self.requests.lock().unwrap())
            .into_iter()
            .map(|(_, request)| request)
            .collect()
    }
}
