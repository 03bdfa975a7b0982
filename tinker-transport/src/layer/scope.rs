//! Scope of a reporting layer: whole calls, or single attempts.

use http::{Method, Request};

use crate::body::Body;
use crate::request::call::Call;

/// Scope of a reporting layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Call,
    Attempt,
}

/// Properties of a request that are kept for a report.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) call: Call,
    pub(super) method: Method,
    pub(super) path: String,
    /// Number of the attempt, from 1.
    pub(super) attempt: u32,
}

impl Subject {
    pub(super) fn of(request: &Request<Body>) -> Self {
        let call = Call::of(request);
        Self {
            // A try of a request without a `Call` is its first.
            attempt: call.attempt.max(1),
            call,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
        }
    }
}
