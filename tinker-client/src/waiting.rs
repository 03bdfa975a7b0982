//! Why an operation is not done yet.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tinker_types::{QueueState, RequestId};
use tokio::sync::watch;
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

impl WaitingFor {
    /// The state in one word: the server's own word where it has one, such as `paused_capacity`.
    pub fn state(&self) -> &str {
        match self {
            Self::Session => "session",
            Self::Turn => "turn",
            Self::Acceptance => "acceptance",
            Self::Server { state, .. } => state.as_ref().map_or("active", QueueState::as_str),
            Self::Recovery { .. } => "recovery",
            Self::Connection => "connection",
            Self::Payload { .. } => "payload",
        }
    }

    /// The server's explanation of its state, if it gave one.
    pub fn explanation(&self) -> Option<&str> {
        match self {
            Self::Server { reason, .. } => reason.as_deref(),
            _ => None,
        }
    }
}

impl Waiting {
    pub(crate) fn new(reason: WaitingFor) -> Self {
        Self {
            reason,
            since: Instant::now(),
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

/// What one operation is, and where it tells why it waits.
#[derive(Debug)]
pub(crate) struct Notice {
    method: &'static str,
    waiting: watch::Sender<Waiting>,
    /// Accepted and not ended: the operation and the server's name for it.
    promises: Mutex<Vec<(&'static str, RequestId)>>,
}

impl Notice {
    /// For an operation that a public method, named as `Class.method`, has begun.
    pub(crate) fn new(method: &'static str, reason: WaitingFor) -> Self {
        Self {
            method,
            waiting: watch::Sender::new(Waiting::new(reason)),
            promises: Mutex::default(),
        }
    }

    /// The public method behind the operation.
    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    /// The same reason again keeps its time.
    pub(crate) fn set(&self, reason: WaitingFor) {
        self.waiting.send_if_modified(|waiting| {
            let is_news = waiting.reason != reason;
            if is_news {
                *waiting = Waiting::new(reason);
            }
            is_news
        });
    }

    pub(crate) fn get(&self) -> Waiting {
        self.waiting.borrow().clone()
    }

    /// Hears of every change; ends with this.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Waiting> {
        self.waiting.subscribe()
    }

    /// The server has promised a result.
    pub(crate) fn accepted(&self, operation: &'static str, id: &RequestId) {
        self.promises().push((operation, id.clone()));
    }

    /// The promise came to an end.
    pub(crate) fn ended(&self, id: &RequestId) {
        self.promises().retain(|(_, other)| other != id);
    }

    /// The first promise that is still open.
    pub(crate) fn promise(&self) -> Option<(&'static str, RequestId)> {
        self.promises().first().cloned()
    }

    fn promises(&self) -> MutexGuard<'_, Vec<(&'static str, RequestId)>> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_reason_keeps_its_time() {
        let board = Notice::new("Class.method", WaitingFor::Turn);
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
