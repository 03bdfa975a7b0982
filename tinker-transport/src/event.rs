//! Events of the HTTP stack.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::class::Class;
use crate::disposition::Outcome;
use crate::error::TransportError;

/// An event of an HTTP request.
///
/// Everything is borrowed and cheap to look at. No event holds a header, a query, a body or a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// One try of a call ended; time spent waiting at the gate is not part of it.
    Attempt(Observation<'a>),
    /// A call ended, with all its tries and waits.
    Call(Observation<'a>),
    /// Another try follows.
    #[non_exhaustive]
    Retry {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// Attempts that have counted so far.
        attempts: u32,
        /// How the latest ended.
        outcome: Outcome,
        /// The wait before the next.
        wait: Duration,
    },
    /// A call had to wait for permits of its class and has them now.
    #[non_exhaustive]
    Admitted {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// How long it waited.
        waited: Duration,
    },
    /// A call closed the shared [`Gate`](crate::Gate), was held at it, or passed it at last.
    #[non_exhaustive]
    Gate {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// What happened.
        change: GateChange,
    },
    /// A circuit breaker changed its state.
    #[non_exhaustive]
    Breaker {
        /// What it stands before: the name of a class, or an origin.
        subject: &'a str,
        /// Its new state.
        change: BreakerChange,
    },
    /// The adaptive limit of a class moved.
    #[non_exhaustive]
    Limit {
        /// The class.
        class: Class,
        /// Tries allowed at once until now.
        before: usize,
        /// Tries allowed at once from now on.
        after: usize,
    },
    /// A second request was sent for a slow read, and the race is over.
    #[non_exhaustive]
    Hedge {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// How long the first request had been under way by then.
        after: Duration,
        /// Did the second answer first?
        has_won: bool,
    },
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

/// What happened at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateChange {
    /// A 429 on a sample closed it for samples, for this long.
    Throttled(Duration),
    /// A 402 paused the calls it concerns, for this long.
    Paused(Duration),
    /// A call met it closed and waits.
    Holding,
    /// That call goes on, after this long.
    Passed(Duration),
}

/// The states of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerChange {
    /// Requests are refused for this long.
    Opened(Duration),
    /// The time is over: single requests probe whether the server is well.
    HalfOpened,
    /// It is; all requests go through.
    Closed,
}
