//! Sessions that the server has ended or no longer knows.

use std::error::Error as StdError;
use std::fmt;

use jiff::{Timestamp, Unit};
use tinker_types::{CheckpointPath, SessionId};

/// The reason for which a session was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LostCause {
    /// The server has ended it: it was silent for too long, as after the sleep of a laptop, or someone ended it.
    Ended,
    /// The server does not know it: it was restarted, or the address leads to another server.
    Unknown,
}

/// The discovery that a session is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionEnd {
    pub(crate) session: SessionId,
    pub(crate) cause: LostCause,
    /// Time of the discovery.
    pub(crate) at: Timestamp,
}

/// The object that was lost with its session, and how to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A call that opens a session, if it is repeated.
    Repeat,
    /// A model in training, with its last training checkpoint.
    Renew(Option<CheckpointPath>),
    /// A sampler of weights that were not saved.
    SampleAgain,
    /// A sampler of another client.
    NewHandle,
}

/// A session that the server has ended or no longer knows.
///
/// The server has released the models of the session, with their gradients and their weights since the last checkpoint,
/// and its samplers. Saved checkpoints remain.
#[derive(Debug)]
pub struct SessionLost(Box<Inner>);

#[derive(Debug)]
struct Inner {
    operation: &'static str,
    end: SessionEnd,
    remedy: Remedy,
    was_sent: bool,
}

impl SessionEnd {
    /// The error of an operation. `was_sent` if the server may have done its work before the session was lost.
    pub(crate) fn of(
        &self,
        operation: &'static str,
        remedy: Remedy,
        was_sent: bool,
    ) -> SessionLost {
        SessionLost(Box::new(Inner {
            operation,
            end: self.clone(),
            remedy,
            was_sent,
        }))
    }
}

impl SessionLost {
    /// Id of the session.
    pub fn session_id(&self) -> &SessionId {
        &self.0.end.session
    }

    /// The reason.
    pub fn cause(&self) -> LostCause {
        self.0.end.cause
    }

    /// The time at which this client found out.
    pub fn at(&self) -> Timestamp {
        self.0.end.at
    }

    /// The last training checkpoint of the model, from which [`TrainingClient::renew`](crate::TrainingClient::renew) goes
    /// on; `None` for a model without one, and for other objects.
    pub fn checkpoint(&self) -> Option<&CheckpointPath> {
        match &self.0.remedy {
            Remedy::Renew(checkpoint) => checkpoint.as_ref(),
            _ => None,
        }
    }

    /// Name of the operation that failed, for example `optim_step`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// Whether the operation had been sent, so that the server may have done its work before.
    pub(crate) fn was_sent(&self) -> bool {
        self.0.was_sent
    }

    pub(crate) fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.0.remedy = remedy;
        self
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, cause, at } = self;
        let at = at.round(Unit::Second).unwrap_or(*at);
        match cause {
            LostCause::Ended => write!(
                f,
                "the server has ended session {session} (found out at {at})"
            ),
            LostCause::Unknown => write!(
                f,
                "the server does not know session {session}, for example because it was restarted (found out at {at})"
            ),
        }
    }
}

impl fmt::Display for SessionLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            operation,
            end,
            remedy,
            ..
        } = &*self.0;
        write!(f, "{operation}: {end}; ")?;
        match remedy {
            Remedy::Repeat => f.write_str("call again, which opens a new session"),
            Remedy::Renew(Some(path)) => {
                write!(f, "go on from {path} with TrainingClient::renew")
            }
            Remedy::Renew(None) => f.write_str(
                "the model had no training checkpoint, so training starts again: make a new training client, and call \
                 save_state from time to time",
            ),
            Remedy::SampleAgain => f.write_str(
                "the weights of this sampler were not saved under a name; make a new sampler from a checkpoint or from \
                 the renewed training client",
            ),
            Remedy::NewHandle => f.write_str(
                "the sampler belonged to another client; get a new handle from it",
            ),
        }
    }
}

impl StdError for SessionLost {}
