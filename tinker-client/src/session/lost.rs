//! Errors that the loss of a session explains.

use http::StatusCode;

use crate::error::{Error, Remedy, SessionLost};
use crate::session::{connection::Connection, heartbeat, record::Session};

/// Replaces an error that the loss of the session explains. The server is asked with a heartbeat, if the error shows that
/// it may not know the session.
pub(crate) async fn explained(session: &Session, connection: &Connection, error: Error) -> Error {
    let Some((operation, was_sent)) = symptom(&error) else {
        return error;
    };
    heartbeat::examine(&connection.api, session).await;
    match session.end() {
        Some(end) => end.of(operation, Remedy::Repeat, was_sent).into(),
        None => error,
    }
}

/// The error of an operation on a session that is known to be lost.
pub(crate) fn check(session: &Session, operation: &'static str) -> Result<(), SessionLost> {
    match session.end() {
        Some(end) => Err(end.of(operation, Remedy::Repeat, false)),
        None => Ok(()),
    }
}

/// Whether the server may not know the session: the operation, and whether it was sent before.
fn symptom(error: &Error) -> Option<(&'static str, bool)> {
    match error {
        Error::Gone(gone) => Some((gone.operation(), true)),
        Error::Status(error) => {
            let is_symptom = matches!(error.status(), StatusCode::NOT_FOUND | StatusCode::GONE);
            is_symptom.then(|| (error.operation(), error.request_id().is_some()))
        }
        Error::Partly(partly) => symptom(partly.first()).map(|(operation, _)| (operation, true)),
        _ => None,
    }
}
