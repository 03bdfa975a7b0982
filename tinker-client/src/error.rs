//! Why a call failed, whether the work was done, what to do next.

mod detail;
mod kinds;
mod loss;
mod timed_out;

pub use crate::download::DownloadFailed;
pub use kinds::{
    Closed, ConfigError, DecodeError, ExportFailed, Gone, PartlyDone, RequestFailed, StatusError,
    Unreachable,
};
pub use loss::{LossFailed, Poisoned};
pub use timed_out::TimedOut;
pub use tinker_transport::TransportError;
pub use tinker_types::InvalidValue;

use tinker_transport::Kind;
use tinker_types::ErrorCategory;

pub(crate) use detail::{detail_of, wants_json};

/// Why a call failed.
///
/// Three questions decide what to do, and each has an answer: whose fault is it
/// ([`is_user_error`](Self::is_user_error)), could the same call succeed later
/// ([`is_retryable`](Self::is_retryable)), and may the work have been done all the same
/// ([`may_have_been_done`](Self::may_have_been_done)). Nothing here shows a key or a whole body,
/// and `Display` leaves the cause to [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value the API would not accept, found before anything was sent.
    ///
    /// No work was done and no sequence id was used. Mend the value; the message names its place.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),

    /// The configuration cannot be used: no key, a bad base URL.
    ///
    /// No work was done. Mend the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),

    /// There was no answer, or it could not be read.
    ///
    /// Whether the work was done depends on how far the request got; see
    /// [`TransportError::stage`].
    #[error(transparent)]
    Transport(#[from] TransportError),

    /// The server answered with an error status, and retries, where there are any, ran out on it.
    ///
    /// A 4xx on a submission means that no work was done. A 408, a 409 or a 5xx leaves that open.
    #[error(transparent)]
    Status(#[from] StatusError),

    /// The server took the operation on, and it failed.
    ///
    /// With [`ErrorCategory::User`] the request is at fault and nothing was changed. Otherwise the
    /// server is; a gradient may be incomplete, so go back to the last checkpoint.
    #[error(transparent)]
    Failed(#[from] RequestFailed),

    /// The server has given up a promise, or no longer knows it, as after a restart.
    ///
    /// The work may have been done, and its result is lost. Saved checkpoints can be loaded again.
    /// Samples that expired have already been asked for anew before this is returned.
    #[error(transparent)]
    Gone(#[from] Gone),

    /// The server took the operation on and could not be reached any more.
    ///
    /// The work may have been done. See
    /// [`Config::unreachable_after`](crate::Config::unreachable_after).
    #[error(transparent)]
    Unreachable(#[from] Unreachable),

    /// The answer is not what the protocol says.
    ///
    /// The work was done. The server is newer, older or broken.
    #[error(transparent)]
    Decode(#[from] DecodeError),

    /// A batch that travelled in several requests was done in part.
    ///
    /// The gradients of the parts that were done have been added. Go back to the last checkpoint,
    /// or take the step with what there is.
    #[error(transparent)]
    Partly(#[from] PartlyDone),

    /// The function of a custom loss failed, or what it returned does not fit the data.
    ///
    /// No gradient was added. The training client is poisoned, see [`Poisoned`](Self::Poisoned).
    #[error(transparent)]
    Loss(#[from] LossFailed),

    /// An earlier custom loss failed between its two passes, and the training client can do no
    /// more: the server waits for sequence ids that will never be sent.
    ///
    /// No work was done. Make a new training client from the last checkpoint.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),

    /// The server could not make the trace of a session.
    ///
    /// Nothing else was touched.
    #[error(transparent)]
    Export(#[from] ExportFailed),

    /// Files of a checkpoint could not be downloaded, or are not what the server says.
    ///
    /// What was received is kept for the next call, unless it was wrong.
    #[error(transparent)]
    Download(#[from] DownloadFailed),

    /// The time its caller gave the operation is over; see
    /// [`Pending::within`](crate::Pending::within).
    ///
    /// A sample was cancelled. Anything else goes on: the work may be done yet.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),

    /// The session is over, or the runtime is.
    ///
    /// No work was done. Make a new [`ServiceClient`](crate::ServiceClient).
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl Error {
    /// Is the request or the configuration at fault? The same call will fail again.
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Config(_) | Self::Loss(_) => true,
            Self::Status(error) => {
                error.status().is_client_error() && !is_passing(error.status().as_u16())
            }
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
            | Self::Closed(_) => false,
        }
    }

    /// Could the same call succeed later? Says nothing about whether a repeat is safe; see
    /// [`may_have_been_done`](Self::may_have_been_done) for that.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_retryable(),
            Self::Status(error) => {
                error.status().is_server_error() || is_passing(error.status().as_u16())
            }
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
            | Self::Closed(_) => false,
        }
    }

    /// May the server have done the work, in whole or in part?
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
                let is_open = status.is_server_error() || matches!(status.as_u16(), 408 | 409);
                error.request_id().is_some() || is_open
            }
            Self::Failed(error) => error.category() != ErrorCategory::User,
            Self::Gone(_)
            | Self::Unreachable(_)
            | Self::Decode(_)
            | Self::Partly(_)
            | Self::TimedOut(_) => true,
        }
    }
}

/// Statuses that say "not now" rather than "not this".
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 409 | 429)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn status(code: u16, during_retrieve: bool) -> Error {
        let status = StatusCode::from_u16(code).unwrap();
        let error = StatusError::new(status, "optim_step", "no".into());
        let error = if during_retrieve {
            error.with_request_id("req-1".into())
        } else {
            error
        };
        error.into()
    }

    #[test]
    fn whose_fault_and_whether_it_happened() {
        for (error, user, retryable, done) in [
            (status(422, false), true, false, false),
            (status(422, true), true, false, true),
            (status(429, false), false, true, false),
            (status(409, false), false, true, true),
            (status(503, false), false, true, true),
            (
                InvalidValue::new("data", "is empty").into(),
                true,
                false,
                false,
            ),
            (
                Gone::expired("r".into(), "asample").into(),
                false,
                true,
                true,
            ),
            (
                Gone::unknown("r".into(), "optim_step").into(),
                false,
                false,
                true,
            ),
            (Closed::by_caller().into(), false, false, false),
        ] {
            assert_eq!(error.is_user_error(), user, "{error}");
            assert_eq!(error.is_retryable(), retryable, "{error}");
            assert_eq!(error.may_have_been_done(), done, "{error}");
        }
    }

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
    }
}
