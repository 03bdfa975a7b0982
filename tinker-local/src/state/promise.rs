//! Promised results.

use std::sync::OnceLock;
use std::time::Instant;

use bytes::Bytes;
use serde::Serialize;
use tinker_engine::backend::{self, BackendError};
use tinker_types::{ErrorCategory, RequestId, RequestType};
use tokio::sync::Notify;

use crate::bounded::bounded;
use crate::clock;
use crate::store::StoreError;

/// Result of an operation, encoded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Payload {
    /// A JSON result.
    Json(Bytes),
    /// A training pass, as protobuf.
    Output(Bytes),
    /// A sampling result, as protobuf.
    Sample(Bytes),
}

impl Payload {
    /// A JSON result.
    pub(crate) fn json(result: &impl Serialize) -> Self {
        // Results are plain structs with text keys, which always serialize.
        Self::Json(serde_json::to_vec(result).unwrap_or_default().into())
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(bytes) | Self::Output(bytes) | Self::Sample(bytes) => bytes.len(),
        }
    }
}

/// Error of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) category: ErrorCategory,
    pub(crate) error: String,
}

impl Failure {
    pub(crate) fn user(error: impl Into<String>) -> Self {
        Self::new(ErrorCategory::User, error.into())
    }

    pub(crate) fn server(error: impl Into<String>) -> Self {
        Self::new(ErrorCategory::Server, error.into())
    }

    fn new(category: ErrorCategory, error: String) -> Self {
        let error = bounded(error);
        Self { category, error }
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        match error.category() {
            backend::ErrorCategory::User => Self::user(error.message()),
            backend::ErrorCategory::Server => Self::server(error.message()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if error.is_users_fault() {
            Self::user(error.report())
        } else {
            Self::server(error.report())
        }
    }
}

/// Outcome of an operation.
pub(crate) type Outcome = Result<Payload, Failure>;

/// Queue of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Training,
    Sampling,
}

impl From<RequestType> for Class {
    fn from(kind: RequestType) -> Self {
        match kind {
            RequestType::Sample => Self::Sampling,
            _ => Self::Training,
        }
    }
}

/// A promised result.
#[derive(Debug)]
pub(crate) struct Promise {
    pub(crate) id: RequestId,
    pub(crate) kind: RequestType,
    /// Bytes of the request.
    pub(crate) weight: usize,
    outcome: OnceLock<Outcome>,
    settled: Notify,
    pub(super) accepted: Instant,
    started: OnceLock<Instant>,
}

impl Promise {
    pub(crate) fn new(id: RequestId, kind: RequestType, weight: usize) -> Self {
        Self {
            id,
            kind,
            weight,
            outcome: OnceLock::new(),
            settled: Notify::new(),
            accepted: clock::now(),
            started: OnceLock::new(),
        }
    }

    pub(crate) fn class(&self) -> Class {
        self.kind.into()
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// Sets the outcome, unless it is already set. Returns whether it was set.
    pub(super) fn settle(&self, outcome: Outcome) -> bool {
        let first = self.outcome.set(outcome).is_ok();
        self.settled.notify_waiters();
        first
    }

    /// Waits for the outcome. Cancel safe.
    pub(crate) async fn wait(&self) -> &Outcome {
        loop {
            // Registered before the check, so that a notification between the two is not missed.
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable();
            if let Some(outcome) = self.outcome.get() {
                return outcome;
            }
            settled.await;
        }
    }

    pub(crate) fn mark_running(&self) {
        let _started_before = self.started.set(clock::now());
    }

    pub(crate) fn is_running(&self) -> bool {
        self.started.get().is_some()
    }

    pub(super) fn started(&self) -> Option<Instant> {
        self.started.get().copied()
    }
}
