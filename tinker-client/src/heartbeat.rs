//! Keeping a session alive.

use std::time::Duration;

use http::StatusCode;
use tinker_transport::policy::Never;
use tinker_transport::{Call, Class, Replay};
use tinker_types::{Endpoint, SessionHeartbeat, SessionId};
use tokio::time::Instant;

use crate::api::Api;
use crate::error::Error;

const PERIOD: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Failures are only news after this long.
const CONCERN: Duration = Duration::from_mins(2);

/// Sends a heartbeat every ten seconds, until the server says that the session is over. It shares nothing that busy work could hold up: its own task, its own class.
pub(crate) async fn keep_alive(api: Api, session: SessionId) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(PERIOD).await;
        let call = Call::new(SessionHeartbeat::NAME, Class::Session)
            .with_replay(Replay::Safe)
            .with_timeout(TIMEOUT)
            .with_policy(Never);
        match api
            .call_void(&SessionHeartbeat::new(session.clone()), call)
            .await
        {
            Ok(()) => last = Instant::now(),
            Err(Error::Status(error)) if error.status() == StatusCode::GONE => {
                tracing::warn!(%session, "the server has ended the session");
                return;
            }
            Err(error) if last.elapsed() > CONCERN => {
                tracing::warn!(%session, %error, silent_for = ?last.elapsed(), "no heartbeat reaches the server; it may end the session");
            }
            Err(error) => tracing::debug!(%session, %error, "a heartbeat failed"),
        }
    }
}

#[cfg(test)]
mod tests;
