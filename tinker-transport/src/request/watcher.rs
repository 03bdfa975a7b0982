//! Notification of the failed attempts of a call.

use std::fmt;
use std::time::Duration;

use crate::error::TransportError;

/// Receives the failed attempts of a call that are followed by another one; see
/// [`Call::with_watcher`](crate::Call::with_watcher).
///
/// Called by the retry layer on the task of the call, so an implementation must be quick.
pub trait AttemptWatcher: fmt::Debug + Send + Sync {
    /// Receives an attempt without a response.
    fn attempt_failed(&self, failed: &FailedAttempt<'_>);
}

/// An attempt without a response, which is followed by another one.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FailedAttempt<'a> {
    /// The error.
    pub error: &'a TransportError,
    /// Counted attempts so far.
    pub attempts: u32,
    /// Time since the call began.
    pub elapsed: Duration,
    /// Time after which the call ends at the latest. `None`: unknown.
    pub remaining: Option<Duration>,
}
