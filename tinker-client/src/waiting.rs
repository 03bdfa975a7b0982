//! Why an operation is not done yet.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tinker_types::QueueState;
use tokio::time::Instant;

/// Why an operation waits, and since when; see [`Pending::waiting`](crate::Pending::waiting).
///
/// `Display` says it in words, for example `paused_capacity: no free node`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// What it waits for.
    pub reason: WaitingFor,
    since: Instant,
}

impl Waiting {
    /// How long it has waited for this.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

/// What an operation waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitingFor {
    /// The session: it is being opened.
    Session,
    /// Its turn: earlier operations of the same model have not been accepted yet.
    Turn,
    /// The server to accept it. Local limits, and waits the server asked for, are part of this.
    Acceptance,
    /// The server to do it.
    Server {
        /// Where it stands in the server's queue, if the server says so.
        state: Option<QueueState>,
        /// The same in the server's words.
        reason: Option<String>,
    },
    /// The server to answer properly again: it answered with this status.
    Recovery {
        /// The latest status.
        status: StatusCode,
    },
    /// The network: the server cannot be reached.
    Connection,
    /// Room for a large result, then its bytes.
    Payload {
        /// Its size.
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
                    None | Some(QueueState::Active) => f.write_str("the server works on it")?,
                    Some(state) => write!(f, "{state}")?,
                }
                match reason {
                    Some(reason) => write!(f, ": {reason}"),
                    None => Ok(()),
                }
            }
            Self::Recovery { status } => write!(f, "the server answers {status}"),
            Self::Connection => f.write_str("the server cannot be reached"),
            Self::Payload { bytes } => write!(f, "a result of {bytes} bytes is on its way"),
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

/// Where an operation tells why it waits. Clones are the same place.
#[derive(Debug, Clone)]
pub(crate) struct Board(Arc<Mutex<Waiting>>);

impl Board {
    pub(crate) fn new(reason: WaitingFor) -> Self {
        Self(Arc::new(Mutex::new(Waiting {
            reason,
            since: Instant::now(),
        })))
    }

    /// The same reason again keeps its time.
    pub(crate) fn set(&self, reason: WaitingFor) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.reason != reason {
            *waiting = Waiting {
                reason,
                since: Instant::now(),
            };
        }
    }

    pub(crate) fn get(&self) -> Waiting {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_reason_keeps_its_time() {
        let board = Board::new(WaitingFor::Turn);
        tokio::time::advance(Duration::from_secs(3)).await;
        board.set(WaitingFor::Turn);
        assert_eq!(board.get().elapsed(), Duration::from_secs(3));
        board.set(WaitingFor::Acceptance);
        assert_eq!(board.get().elapsed(), Duration::ZERO);
    }

    #[test]
    fn words_for_people() {
        let server = |state, reason: Option<&str>| WaitingFor::Server {
            state,
            reason: reason.map(str::to_owned),
        };
        let paused = server(Some(QueueState::PausedCapacity), Some("no free node"));
        assert_eq!(paused.to_string(), "paused_capacity: no free node");
        assert_eq!(server(None, None).to_string(), "the server works on it");
    }
}
