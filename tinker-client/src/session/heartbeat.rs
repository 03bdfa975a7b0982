//! Heartbeat of a session.

use std::time::Duration;

use http::StatusCode;
use tinker_transport::Class;
use tinker_transport::policy::Never;
use tinker_types::{SessionHeartbeat, SessionId};
use tokio::time::Instant;

use crate::error::Error;
use crate::wire::{api::Api, request::repeatable};

const PERIOD: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Failures are only events after this long.
const WARN_AFTER: Duration = Duration::from_mins(2);

/// Sends a heartbeat every ten seconds until the server reports the end of the session (410). Runs in its own task
/// and its own traffic class, so that other work cannot delay it.
pub(crate) async fn keep_alive(api: Api, session: SessionId) {
    let (mut last, mut was_heard) = (Instant::now(), false);
    loop {
        tokio::time::sleep(PERIOD).await;
        let call = repeatable::<SessionHeartbeat>(Class::Session)
            .with_timeout(TIMEOUT)
            .with_policy(Never);
        match api
            .call_void(&SessionHeartbeat::new(session.clone()), call)
            .await
        {
            Ok(()) => (last, was_heard) = (Instant::now(), true),
            Err(Error::Status(error)) if error.status() == StatusCode::GONE => {
                tracing::warn!(%session, "the server has ended the session");
                return;
            }
            // A server that never knew heartbeats does not end sessions for the lack of them.
            Err(Error::Status(error)) if !was_heard && is_unknown(error.status()) => {
                tracing::debug!(%session, "the server has no heartbeats");
                return std::future::pending().await;
            }
            Err(error) if last.elapsed() > WARN_AFTER => {
                tracing::warn!(%session, %error, silent_for = ?last.elapsed(), "heartbeats fail; the server may end the session");
            }
            Err(error) => tracing::debug!(%session, %error, "a heartbeat failed"),
        }
    }
}

fn is_unknown(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 405 | 501)
}

#[cfg(test)]
mod tests;
