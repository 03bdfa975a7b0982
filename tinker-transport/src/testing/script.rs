//! Prepared responses.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::mutex::lock;
use crate::service::{Answer, always_ready};

/// Largest part of a streamed request body that is kept.
const BODY_LIMIT: u64 = 1 << 30;

/// A leaf with prepared responses, one per request, in order.
///
/// When its last clone is dropped, it panics if responses are left, since an expected request did not come. A request
/// beyond the last response gets an error of [`Kind::Layer`], which is never retried.
///
/// See [the module](super) for an example.
#[derive(Clone, Default)]
pub struct Script(Arc<Shared>);

#[derive(Default)]
struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request<Bytes>>>,
}

impl Script {
    /// A script without responses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a response with this status and body.
    ///
    /// # Panics
    /// `status` is not a valid status, such as 42.
    #[must_use]
    pub fn answer(self, status: u16, body: impl Into<Body>) -> Self {
        let Ok(status) = StatusCode::from_u16(status) else {
            panic!("a script cannot answer with the status {status}; take one from 100 to 999");
        };
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        self.respond(response)
    }

    /// Adds this response, including its headers.
    #[must_use]
    pub fn respond(self, response: Response<Body>) -> Self {
        lock(&self.0.answers).push_back(Ok(response));
        self
    }

    /// Adds this error.
    #[must_use]
    pub fn fail(self, error: TransportError) -> Self {
        lock(&self.0.answers).push_back(Err(error));
        self
    }

    /// The requests so far, with their bodies and extensions.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        lock(&self.0.requests).clone()
    }

    /// Number of responses left.
    pub fn remaining(&self) -> usize {
        lock(&self.0.answers).len()
    }

    async fn respond_to(self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let line = format!("{} {}", parts.method, parts.uri);
        let body = body.collect(BODY_LIMIT).await?;
        let number = {
            let mut requests = lock(&self.0.requests);
            requests.push(Request::from_parts(parts, body));
            requests.len()
        };
        lock(&self.0.answers).pop_front().unwrap_or_else(|| {
            let what = format!("the script has no answer left for its request {number}, {line}");
            Err(TransportError::new(Kind::Layer, Stage::NotSent, what))
        })
    }
}

always_ready!(Script, |script, request| {
    Box::pin(script.clone().respond_to(request))
});

impl Drop for Shared {
    fn drop(&mut self) {
        let left = lock(&self.answers).len();
        // A test that already fails has a better message.
        assert!(
            left == 0 || std::thread::panicking(),
            "{left} answers of a script were not used; it saw {} requests",
            lock(&self.requests).len()
        );
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({} answers left)", self.remaining())
    }
}

#[cfg(test)]
mod tests;
