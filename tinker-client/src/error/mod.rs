//! Errors: the cause, whether the work may have been done, and what to do next.

mod advice;
mod detail;
mod download;
mod gone;
mod kinds;
mod line;
mod loss;
mod lost;
mod status;
mod timed_out;

pub use download::DownloadFailed;
pub use gone::Gone;
pub use kinds::{Closed, ConfigError, DecodeError, ExportFailed, RequestFailed, Unreachable};
pub use loss::{LossFailed, Poisoned};
pub use lost::{LostCause, SessionLost};
pub use status::StatusError;
pub use timed_out::TimedOut;
pub use tinker_transport::TransportError;
pub use tinker_types::InvalidValue;

use std::error::Error as StdError;
use std::fmt;

use tinker_transport::Kind;
use tinker_types::ErrorCategory;

use line::line;

pub(crate) use advice::{Advice, Cause, Refusal};
pub(crate) use detail::{detail_of, wants_json, wants_protobuf};
pub(crate) use line::one_line;
pub(crate) use lost::{Remedy, SessionEnd};

/// An error of a call.
///
/// Three predicates help to decide what to do: whether the request is at fault
/// ([`is_user_error`](Self::is_user_error)), whether the same call may succeed later
/// ([`is_retryable`](Self::is_retryable)), and whether the work may have been done anyway
/// ([`may_have_been_done`](Self::may_have_been_done)). No error holds a key or a whole body.
///
/// `Display` and `Debug` write what failed, where, and the last cause, on one line; `{:#}` writes all causes. Those of the
/// payload of a variant are available through its [`source`](std::error::Error::source).
#[non_exhaustive]
pub enum Error {
    /// A value that the API does not accept, found before anything was sent.
    ///
    /// No work was done and no sequence id was used. Correct the value; the message names the field.
    Invalid(InvalidValue),

    /// The configuration cannot be used: no key, a bad base URL.
    ///
    /// No work was done. Correct the configuration.
    Config(ConfigError),

    /// No answer was received, or it could not be read.
    ///
    /// Whether the work was done depends on how far the request got; see
    /// [`TransportError::stage`].
    Transport(TransportError),

    /// The server answered with an error status, after retries where the policy has any.
    ///
    /// A 4xx on a submission means that no work was done. A 408, a 409 or a 5xx leaves that open.
    Status(StatusError),

    /// The server accepted the operation, and it failed.
    ///
    /// With [`ErrorCategory::User`] the request is at fault and nothing was changed. Otherwise the server is; gradients
    /// may be incomplete, so go back to the last checkpoint.
    Failed(RequestFailed),

    /// The server has dropped a promise, or does not know it, for example after a restart.
    ///
    /// The work may have been done, and its result is lost. Saved checkpoints can be loaded again. Expired samples were
    /// submitted again before this is returned.
    Gone(Gone),

    /// The server accepted the operation and could not be reached afterwards.
    ///
    /// The work may have been done. See
    /// [`Config::unreachable_after`](crate::Config::unreachable_after).
    Unreachable(Unreachable),

    /// The answer does not match the protocol.
    ///
    /// The work was done. The server is newer, older or faulty.
    Decode(DecodeError),

    /// Some requests of a batch that was sent in several requests failed, or the pass of a
    /// [`train_step`](crate::TrainingClient::train_step) did, after its step was sent.
    ///
    /// The gradients of the other requests were added, or the step was done without gradients. Go back to the last
    /// checkpoint, or, after a batch, apply the gradients as they are.
    Partly(PartlyDone),

    /// The function of a custom loss failed, or its result does not fit the data.
    ///
    /// No gradient was added. The training client is poisoned, see [`Poisoned`](Self::Poisoned).
    Loss(LossFailed),

    /// An earlier custom loss failed between its two passes, and the training client is unusable: the server waits for
    /// sequence ids that will never be sent.
    ///
    /// No work was done. Go on from the last checkpoint with [`TrainingClient::renew`](crate::TrainingClient::renew).
    Poisoned(Poisoned),

    /// The server could not make the trace of a session.
    ///
    /// Nothing else was affected.
    Export(ExportFailed),

    /// Files of a checkpoint could not be downloaded, or differ from what the server announced.
    ///
    /// Received data is kept for the next call, unless it was wrong.
    Download(DownloadFailed),

    /// The time limit of the operation expired; see [`Pending::within`](crate::Pending::within).
    ///
    /// A sample was cancelled. Other operations continue: the work may still be done.
    TimedOut(TimedOut),

    /// The server has ended the session, or does not know it, for example after a restart. Nobody's request is at fault.
    ///
    /// The work may have been done, but its effects are gone with the model or sampler; checkpoints remain. The service
    /// client stays usable and opens a new session. Samplers of base models and checkpoints are made again by
    /// themselves. A training client is renewed from its last checkpoint with
    /// [`TrainingClient::renew`](crate::TrainingClient::renew).
    SessionLost(SessionLost),

    /// The client was closed, or the runtime has shut down.
    ///
    /// No work was done. Make a new [`ServiceClient`](crate::ServiceClient).
    Closed(Closed),
}

/// Implements conversions from the payloads, and access to the payload of an error.
macro_rules! payloads {
    ($($variant:ident($payload:ty),)*) => {
        $(impl From<$payload> for Error {
            fn from(payload: $payload) -> Self {
                Self::$variant(payload)
            }
        })*

        impl Error {
            fn payload(&self) -> &(dyn StdError + 'static) {
                match self {
                    $(Self::$variant(payload) => payload,)*
                }
            }
        }
    };
}

payloads! {
    Invalid(InvalidValue),
    Config(ConfigError),
    Transport(TransportError),
    Status(StatusError),
    Failed(RequestFailed),
    Gone(Gone),
    Unreachable(Unreachable),
    Decode(DecodeError),
    Partly(PartlyDone),
    Loss(LossFailed),
    Poisoned(Poisoned),
    Export(ExportFailed),
    Download(DownloadFailed),
    TimedOut(TimedOut),
    SessionLost(SessionLost),
    Closed(Closed),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(self.payload(), f.alternate()))
    }
}

/// As `Display`, so that a `main` that returns the error prints a sentence.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Without a source, as `Display` contains the causes. Those of a payload are its sources.
impl StdError for Error {}

impl Error {
    /// Whether the request or the configuration is at fault. The same call will fail again.
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Config(_) | Self::Loss(_) => true,
            Self::Status(error) => error.status().is_client_error() && !is_temporary(error),
            Self::Failed(error) => error.category() == ErrorCategory::User,
            Self::Partly(error) => error.first().is_user_error(),
            Self::Transport(error) => {
                matches!(
                    error.kind(),
                    Kind::Config | Kind::Request | Kind::Credential
                )
            }
            Self::Gone(_)
            | Self::Unreachable(_)
            | Self::Decode(_)
            | Self::Poisoned(_)
            | Self::Export(_)
            | Self::Download(_)
            | Self::TimedOut(_)
            | Self::SessionLost(_)
            | Self::Closed(_) => false,
        }
    }

    /// Whether the same call may succeed later. Whether a repeat is safe is a different question; see
    /// [`may_have_been_done`](Self::may_have_been_done).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_retryable(),
            Self::Status(error) => error.status().is_server_error() || is_temporary(error),
            Self::Failed(error) => error.category() == ErrorCategory::Server,
            Self::Unreachable(_) | Self::TimedOut(_) => true,
            Self::Gone(error) => error.has_expired(),
            Self::Partly(error) => error.first().is_retryable(),
            Self::Download(error) => error.is_retryable(),
            Self::Invalid(_)
            | Self::Config(_)
            | Self::Decode(_)
            | Self::Loss(_)
            | Self::Poisoned(_)
            | Self::Export(_)
            | Self::SessionLost(_)
            | Self::Closed(_) => false,
        }
    }

    /// Whether the server may have done the work, in whole or in part.
    pub fn may_have_been_done(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::Config(_)
            | Self::Loss(_)
            | Self::Poisoned(_)
            | Self::Export(_)
            | Self::Download(_)
            | Self::Closed(_) => false,
            Self::Transport(error) => error.may_have_been_received(),
            Self::Status(error) => {
                let status = error.status();
                let is_conflict = matches!(status.as_u16(), 408 | 409) && !error.is_name_taken();
                let is_open = status.is_server_error() || is_conflict;
                error.request_id().is_some() || is_open
            }
            Self::Failed(error) => error.category() != ErrorCategory::User,
            Self::SessionLost(error) => error.was_sent(),
            Self::Gone(_)
            | Self::Unreachable(_)
            | Self::Decode(_)
            | Self::Partly(_)
            | Self::TimedOut(_) => true,
        }
    }
}

/// A batch of which some requests failed, or an optimizer step that was done after its pass had failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct PartlyDone {
    what: String,
    done: usize,
    requests: usize,
    #[source]
    first: Box<Error>,
}

impl PartlyDone {
    pub(crate) fn new(operation: &'static str, done: usize, requests: usize, first: Error) -> Self {
        Self {
            what: format!("{operation}: {done} of {requests} requests of the batch were done"),
            done,
            requests,
            first: Box::new(first),
        }
    }

    /// An optimizer step behind a failed pass.
    pub(crate) fn step(operation: &'static str, pass: Error) -> Self {
        let what = format!(
            "{operation}: the pass failed after the optimizer step was sent, and the step was done without its \
             gradients; its moments moved the weights, so go back to the last checkpoint"
        );
        Self {
            what,
            done: 1,
            requests: 2,
            first: Box::new(pass),
        }
    }

    /// Number of requests that were done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Number of requests of the batch.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// The first error.
    pub fn first(&self) -> &Error {
        &self.first
    }
}

/// Whether a refusal is temporary.
fn is_temporary(error: &StatusError) -> bool {
    matches!(error.status().as_u16(), 408 | 409 | 429) && !error.is_name_taken()
}

#[cfg(test)]
mod tests;
