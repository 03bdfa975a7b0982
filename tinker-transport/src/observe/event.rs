//! Events of the HTTP stack.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::error::TransportError;
use crate::flow::class::Class;
use crate::policy::Outcome;

/// An event of an HTTP request.
///
/// All data is borrowed. No event contains a header, a query, a body or a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A try of a call ended. Time spent waiting at the gate is not included.
    Attempt(Observation<'a>),
    /// A call ended, including all its tries and waits.
    Call(Observation<'a>),
    /// Another try follows.
    #[non_exhaustive]
    Retry {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// Counted attempts so far.
        attempts: u32,
        /// Outcome of the latest one.
        outcome: Outcome,
        /// Wait before the next one.
        wait: Duration,
    },
    /// A call has no final result yet. Reported two and a half seconds after it began, ten seconds later, and then every
    /// thirty seconds.
    #[non_exhaustive]
    Unanswered {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// Counted attempts so far.
        attempts: u32,
        /// Outcome of the latest one; `None` during the first.
        outcome: Option<Outcome>,
        /// Time since the call began.
        elapsed: Duration,
        /// Time after which the call ends at the latest, without waits that the server asks for. `None`: unknown.
        remaining: Option<Duration>,
    },
    /// A call obtained permits of its class after a wait.
    #[non_exhaustive]
    Admitted {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// Length of the wait.
        waited: Duration,
    },
    /// A call closed the shared [`Gate`](crate::Gate), was held at it, or passed it.
    #[non_exhaustive]
    Gate {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// Change at the gate.
        change: GateChange,
    },
    /// A circuit breaker changed its state.
    #[non_exhaustive]
    Breaker {
        /// Target of the breaker: the name of a class, or an origin.
        subject: &'a str,
        /// Its new state.
        change: BreakerChange,
    },
    /// The adaptive limit of a class changed.
    #[non_exhaustive]
    Limit {
        /// The class.
        class: Class,
        /// Concurrent tries allowed until now.
        before: usize,
        /// Concurrent tries allowed from now on.
        after: usize,
    },
    /// A hedged read ended: a second request had been sent, since the first was slow.
    #[non_exhaustive]
    Hedge {
        /// Name of the operation.
        operation: &'static str,
        /// Its class.
        class: Class,
        /// Time between the two requests.
        after: Duration,
        /// Whether the second request was answered first.
        has_won: bool,
    },
}

/// End of an attempt or a call.
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
    /// For an attempt its number, from 1; for a call the number of counted attempts, 0 if none was made.
    pub attempt: u32,
    /// Time until the head of the response.
    pub elapsed: Duration,
    /// Result.
    pub end: End<'a>,
}

/// Result of an attempt or a call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum End<'a> {
    /// A response.
    Answered(StatusCode),
    /// An error.
    Failed(&'a TransportError),
    /// The caller dropped it.
    Dropped,
}

/// A change at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateChange {
    /// A 429 on a sample closed the gate for samples, for this long.
    Throttled(Duration),
    /// A 402 paused the calls it concerns, for this long.
    Paused(Duration),
    /// A call waits at the closed gate.
    Holding,
    /// The call continues after this wait.
    Passed(Duration),
}

/// States of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerChange {
    /// Requests are refused for this long.
    Opened(Duration),
    /// The time is over: single requests probe the server.
    HalfOpened,
    /// A probe succeeded; all requests pass.
    Closed,
}
