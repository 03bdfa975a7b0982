//! Heartbeat of a session.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tinker_transport::Class;
use tinker_transport::policy::Never;
use tinker_types::{SessionHeartbeat, SessionId};
use tokio::time::Instant;

use crate::error::{Error, LostCause};
use crate::session::record::Session;
use crate::wire::{api::Api, request::repeatable};

const PERIOD: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Failures are only events after this long.
const WARN_AFTER: Duration = Duration::from_mins(2);

/// Number of 404 answers in a row after which a session counts as lost; a single one may come from a proxy.
const UNKNOWN: u32 = 2;

/// The answer to a heartbeat.
#[derive(Debug)]
enum Sign {
    Alive,
    /// 410.
    Ended,
    /// The server has heartbeats and does not know the session.
    Unknown,
    /// The server has no heartbeats.
    NoRoute,
    Failed(Error),
}

/// Sends a heartbeat every ten seconds until the session is lost or no longer used. Runs in its own task and its own traffic class, so that
/// other work cannot delay it.
pub(crate) async fn keep_alive(api: Api, session: Arc<Session>, id: SessionId) {
    let mut last = Instant::now();
    let mut unknown = 0;
    loop {
        tokio::time::sleep(PERIOD).await;
        // Copies of samplers are the only users of another client's session.
        let is_unused = Arc::strong_count(&session) == 1;
        if session.end().is_some() || is_unused {
            return;
        }
        let sign = beat(&api, &session, &id).await;
        if !matches!(sign, Sign::Unknown) {
            unknown = 0;
        }
        match sign {
            Sign::Alive => last = Instant::now(),
            Sign::Ended => return session.lose(LostCause::Ended),
            Sign::Unknown => {
                unknown += 1;
                if unknown >= UNKNOWN {
                    return session.lose(LostCause::Unknown);
                }
            }
            // A server that never knew heartbeats does not end sessions for the lack of them.
            Sign::NoRoute => {
                tracing::debug!(session = %id, "the server has no heartbeats");
                return std::future::pending().await;
            }
            Sign::Failed(error) if last.elapsed() > WARN_AFTER => {
                tracing::warn!(session = %id, %error, silent_for = ?last.elapsed(), "heartbeats fail; the server may end the session");
            }
            Sign::Failed(error) => {
                tracing::debug!(session = %id, %error, "a heartbeat failed");
            }
        }
    }
}

/// Finds out whether a session is lost, after an answer that shows that the server may not know it.
pub(crate) async fn examine(api: &Api, session: &Session) {
    let Some(id) = session.id().filter(|_| session.end().is_none()) else {
        return;
    };
    match beat(api, session, id).await {
        Sign::Ended => session.lose(LostCause::Ended),
        Sign::Unknown => session.lose(LostCause::Unknown),
        Sign::Alive | Sign::NoRoute | Sign::Failed(_) => {}
    }
}

async fn beat(api: &Api, session: &Session, id: &SessionId) -> Sign {
    let call = repeatable::<SessionHeartbeat>(Class::Session)
        .with_timeout(TIMEOUT)
        .with_policy(Never);
    match api
        .call_void(&SessionHeartbeat::new(id.clone()), call)
        .await
    {
        Ok(()) => {
            session.note_heartbeat();
            Sign::Alive
        }
        Err(Error::Status(error)) if error.status() == StatusCode::GONE => Sign::Ended,
        Err(Error::Status(error)) if is_unknown(error.status()) => {
            let is_known_route = session.has_heartbeats() || !error.is_route_missing();
            if error.status() == StatusCode::NOT_FOUND && is_known_route {
                Sign::Unknown
            } else if session.has_heartbeats() {
                Sign::Failed(error.into())
            } else {
                Sign::NoRoute
            }
        }
        Err(error) => Sign::Failed(error),
    }
}

fn is_unknown(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 405 | 501)
}

#[cfg(test)]
mod tests;
