//! Kinds of injected faults.

use std::time::Duration;

use http::StatusCode;

/// A fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A response with this status and no body; the request is not sent.
    Status(StatusCode),
    /// This status for the request and all that follow within this time: the server is down, or blocks an account. The
    /// plan counts these requests, but injects no other faults into them.
    Episode {
        /// The status.
        status: StatusCode,
        /// Length of the episode.
        lasts: Duration,
    },
    /// The request is sent this much later.
    Delay(Duration),
    /// The connection is reset before the request is sent: it was certainly not received.
    ResetBefore,
    /// The connection is reset after the request was sent. The server does not act on it, but the client cannot know
    /// that.
    ResetAfter,
    /// The server does the work and responds, and the response is lost. Only a server that recognizes the repeat does
    /// not do the work twice.
    LoseAnswer,
    /// The response body arrives in pieces of this many bytes, with a pause before each.
    SlowBody {
        /// Bytes of a piece.
        piece: usize,
        /// Pause before each piece.
        pause: Duration,
    },
    /// The response body breaks off half way.
    CutBody,
    /// The response is held until another one has passed, for at most a second.
    Overtaken,
}

/// An injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injected {
    /// Number of the request, from 0, among those to which the plan applies.
    pub request: usize,
    /// Name of the operation.
    pub operation: &'static str,
    /// The fault.
    pub fault: Fault,
}
