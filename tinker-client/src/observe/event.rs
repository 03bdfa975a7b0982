//! Events of a client.

use std::time::Duration;

use tinker_transport::Event;

use crate::operation::waiting::Waiting;

/// An event of a client: an HTTP event of one of its requests, or a change in one of its operations.
///
/// All fields are borrowed. No event holds a header, a query, a body or a key.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// An event of an HTTP request: an attempt, a call, a retry, a wait inside the transport.
    Http(&'a Event<'a>),
    /// An accepted operation waits for something else than before. Reported once per change.
    #[non_exhaustive]
    Waiting {
        /// Name of the operation, for example `optim_step`.
        operation: &'static str,
        /// The server's id of the request.
        id: &'a str,
        /// The new reason.
        waiting: &'a Waiting,
    },
    /// No operation of a model or sampler has made progress for
    /// [`Config::stuck_after`](crate::Config::stuck_after). Describes the oldest of them; repeated after each such
    /// period.
    #[non_exhaustive]
    Stuck {
        /// Name of the operation, or the public method if no request was accepted yet.
        operation: &'static str,
        /// The server's id of the request, if one was accepted.
        id: Option<&'a str>,
        /// The reason for which the operation waits, and since when.
        waiting: &'a Waiting,
    },
    /// A promise of the server was given, or ended.
    #[non_exhaustive]
    Promise {
        /// Name of the operation that submitted the request.
        operation: &'static str,
        /// The server's id of the request.
        id: &'a str,
        /// The step.
        step: PromiseStep,
        /// Time since the operation began.
        elapsed: Duration,
    },
}

/// A step in the life of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PromiseStep {
    /// The server accepted the request and promised a result.
    Accepted,
    /// The result was fetched.
    Done,
    /// The operation failed.
    Failed,
    /// The server gave up the promise (410).
    Expired,
    /// The caller dropped the operation.
    Cancelled,
}

impl PromiseStep {
    /// The step in one lowercase word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}
