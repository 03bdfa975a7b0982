//! What a reporting layer looks at: whole calls, or single attempts.

use http::{Method, Request};

use crate::attempt::Attempt;
use crate::body::Body;
use crate::call::Call;

/// Which of its two places a reporting layer stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Call,
    Attempt,
}

/// What is kept of a request to report on it later.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) call: Call,
    pub(super) method: Method,
    pub(super) path: String,
    /// Number of the attempt, 0 outside the retry layer.
    pub(super) attempt: u32,
}

impl Subject {
    pub(super) fn of(request: &Request<Body>) -> Self {
        Self {
            call: Call::of(request),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            attempt: request.extensions().get().map_or(0, Attempt::number),
        }
    }
}
