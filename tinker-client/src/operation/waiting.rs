//! Reasons for which an operation waits.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use tinker_types::QueueState;
use tokio::time::Instant;

/// The reason for which an operation waits, and since when; see [`Pending::waiting`](crate::Pending::waiting).
///
/// `Display` writes the reason, for example `paused_capacity: no free node`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// The reason.
    pub reason: WaitingFor,
    since: Instant,
}

impl Waiting {
    /// Time since the operation began to wait for this reason.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

/// A reason for which an operation waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitingFor {
    /// The session is being opened.
    Session,
    /// Earlier operations of the same model have not been accepted yet.
    Turn,
    /// The request is on its way to acceptance. Includes waits for local limits and waits that the server asked for.
    Acceptance,
    /// The server has accepted the operation and has no result yet.
    Server {
        /// State in the server's queue, if the server reports one.
        state: Option<QueueState>,
        /// The server's explanation of that state.
        reason: Option<String>,
    },
    /// A poll was answered with an error status and will be repeated.
    Recovery {
        /// The latest status.
        status: StatusCode,
    },
    /// The server cannot be reached: from the first failed attempt of any request of the service to the next answer.
    Connection {
        /// Address of the server.
        address: String,
        /// The last failure.
        cause: String,
    },
    /// A large result: first for room in the byte budget, then for its bytes.
    Payload {
        /// Size of the result.
        bytes: u64,
    },
}

impl fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session => f.write_str("opening the session"),
            Self::Turn => f.write_str("earlier operations first"),
            Self::Acceptance => f.write_str("on the way to the server"),
            Self::Server { state, reason } => {
                match state {
                    None | Some(QueueState::Active) => {
                        f.write_str("the server is working on it")?;
                    }
                    Some(state) => write!(f, "{state}")?,
                }
                match reason {
                    Some(reason) => write!(f, ": {reason}"),
                    None => Ok(()),
                }
            }
            Self::Recovery { status } => write!(f, "the server answered {status}"),
            Self::Connection { address, cause } => {
                write!(f, "{address} cannot be reached ({cause})")
            }
            Self::Payload { bytes } => write!(f, "receiving a result of {bytes} bytes"),
        }
    }
}

impl WaitingFor {
    /// The state in one word: the server's own word where it has one, such as `paused_capacity`.
    pub fn state(&self) -> &str {
        match self {
            Self::Session => "session",
            Self::Turn => "turn",
            Self::Acceptance => "acceptance",
            Self::Server { state, .. } => state.as_ref().map_or("active", QueueState::as_str),
            Self::Recovery { .. } => "recovery",
            Self::Connection { .. } => "connection",
            Self::Payload { .. } => "payload",
        }
    }

    /// The server's explanation of its state, or the cause of a lost connection.
    pub fn explanation(&self) -> Option<&str> {
        match self {
            Self::Server { reason, .. } => reason.as_deref(),
            Self::Connection { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl Waiting {
    pub(crate) fn new(reason: WaitingFor) -> Self {
        Self::since(reason, Instant::now())
    }

    pub(crate) fn since(reason: WaitingFor, since: Instant) -> Self {
        Self { reason, since }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display() {
        let server = |state, reason: Option<&str>| WaitingFor::Server {
            state,
            reason: reason.map(str::to_owned),
        };
        let paused = server(Some(QueueState::PausedCapacity), Some("no free node"));
        assert_eq!(paused.to_string(), "paused_capacity: no free node");
        assert_eq!(
            server(None, None).to_string(),
            "the server is working on it"
        );
    }
}
