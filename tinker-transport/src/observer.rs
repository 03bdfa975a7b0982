//! Watching calls from outside: metrics, logs, telemetry.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::class::Class;
use crate::error::TransportError;

/// Is told of every attempt and every call when it is over.
///
/// Called on the task that made the call, so an observer must be quick: count, or push into a
/// queue. It sees no bodies, headers or keys. Attach it with
/// [`TransportConfig::with_observer`](crate::TransportConfig::with_observer); without one, the
/// stack has no layer for it.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tinker_transport::{Event, Observer};
///
/// #[derive(Default)]
/// struct Retries(AtomicU64);
///
/// impl Observer for Retries {
///     fn observe(&self, event: &Event<'_>) {
///         if let Event::Attempt(seen) = event && seen.attempt > 1 {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: Send + Sync {
    /// Something ended.
    fn observe(&self, event: &Event<'_>);
}

/// What an [`Observer`] is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// One try of a call ended; time spent waiting at the gate is not part of it.
    Attempt(Observation<'a>),
    /// A call ended, with all its tries and waits.
    Call(Observation<'a>),
}

/// The end of an attempt or a call.
#[derive(Debug)]
#[non_exhaustive]
pub struct Observation<'a> {
    /// Name of the operation.
    pub operation: &'static str,
    /// Its class.
    pub class: Class,
    /// HTTP method.
    pub method: &'a Method,
    /// Path below the base URL, without the query.
    pub path: &'a str,
    /// For an attempt its number from 1; for a call how many were counted, 0 if none was made.
    pub attempt: u32,
    /// How long it took, until the head of the answer.
    pub elapsed: Duration,
    /// How it ended.
    pub end: End<'a>,
}

/// How an attempt or a call ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum End<'a> {
    /// With an answer.
    Answered(StatusCode),
    /// With an error.
    Failed(&'a TransportError),
    /// Its caller no longer wanted it.
    Dropped,
}
