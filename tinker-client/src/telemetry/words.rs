//! Formats of errors and times in reports.

use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tinker_types::ErrorCategory;

use crate::error::Error;

/// Name of the type of an error.
pub(super) fn type_of(error: &Error) -> &'static str {
    match error {
        Error::Invalid(_) => "InvalidValue",
        Error::Config(_) => "ConfigError",
        Error::Transport(_) => "TransportError",
        Error::Status(_) => "StatusError",
        Error::Failed(_) => "RequestFailed",
        Error::Gone(_) => "Gone",
        Error::Unreachable(_) => "Unreachable",
        Error::Decode(_) => "DecodeError",
        Error::Partly(_) => "PartlyDone",
        Error::Loss(_) => "LossFailed",
        Error::Poisoned(_) => "Poisoned",
        Error::Export(_) => "ExportFailed",
        Error::Download(_) => "DownloadFailed",
        Error::TimedOut(_) => "TimedOut",
        Error::SessionLost(_) => "SessionLost",
        Error::Closed(_) => "Closed",
    }
}

/// An error and its causes in one line. Errors hold neither keys nor bodies.
pub(super) fn chain(error: &Error) -> String {
    format!("{error:#}")
}

/// The HTTP status of an error, if it has one.
pub(super) fn status_of(error: &Error) -> Option<StatusCode> {
    match error {
        Error::Status(error) => Some(error.status()),
        Error::Gone(error) if error.has_expired() => Some(StatusCode::GONE),
        Error::Gone(_) => Some(StatusCode::NOT_FOUND),
        Error::Partly(error) => status_of(error.first()),
        _ => None,
    }
}

/// The error body of the server, reduced to its detail.
pub(super) fn body_of(error: &Error) -> Option<Value> {
    match error {
        Error::Status(error) if !error.detail().is_empty() => {
            Some(serde_json::json!({"detail": error.detail()}))
        }
        Error::Partly(error) => body_of(error.first()),
        _ => None,
    }
}

/// Whether the reports count the status as a user error.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
}

/// Whether the reports count the error as a user error.
pub(super) fn is_user_error(error: &Error) -> bool {
    match error {
        Error::Failed(error) => error.category() == ErrorCategory::User,
        Error::Partly(error) => is_user_error(error.first()),
        _ => status_of(error).is_some_and(is_refusal),
    }
}

/// Whether the error is local: the server is not involved, and the message may hold user data.
pub(super) fn is_local(error: &Error) -> bool {
    matches!(
        error,
        Error::Invalid(_)
            | Error::Config(_)
            | Error::Loss(_)
            | Error::Poisoned(_)
            | Error::Download(_)
            | Error::TimedOut(_)
            | Error::Closed(_)
    )
}

/// Name of a category in reports, which differs from the one on the wire.
pub(super) fn category(category: ErrorCategory) -> &'static str {
    match category {
        ErrorCategory::User => "User",
        ErrorCategory::Server => "Server",
        ErrorCategory::Unknown => "Unknown",
    }
}

/// A duration in the format of the official client: `0:00:01.500000`, `1 day, 2:03:04`.
pub(super) fn duration(time: Duration) -> String {
    let (seconds, micros) = (time.as_secs(), time.subsec_micros());
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    let mut text = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        _ => format!("{days} days, "),
    };
    // Writing to a string does not fail.
    let _ = write!(text, "{hours}:{minutes:02}:{seconds:02}");
    if micros > 0 {
        let _ = write!(text, ".{micros:06}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_look_like_those_of_the_official_client() {
        let text = |millis| duration(Duration::from_millis(millis));
        assert_eq!(text(146), "0:00:00.146000");
        assert_eq!(text(60_000), "0:01:00");
        assert_eq!(text(86_400_000 + 7_384_500), "1 day, 2:03:04.500000");
        assert_eq!(text(3 * 86_400_000), "3 days, 0:00:00");
    }
}
