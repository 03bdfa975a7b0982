//! Whether the server can be reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tinker_transport::{AttemptWatcher, FailedAttempt, Kind, TransportError};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::one_line;
use crate::operation::waiting::{Waiting, WaitingFor};

/// Time without contact after which a warning is given.
const WARN_AFTER: Duration = Duration::from_secs(2);

/// Whether the server can be reached, according to all requests of a service. Clones refer to the same state.
#[derive(Debug, Clone)]
pub(crate) struct Reach(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The server in messages.
    address: String,
    /// The reason for waiting while the server cannot be reached.
    outage: watch::Sender<Option<Waiting>>,
    has_warned: AtomicBool,
}

impl Reach {
    pub(crate) fn new(address: String) -> Self {
        Self(Arc::new(Inner {
            address,
            outage: watch::Sender::new(None),
            has_warned: AtomicBool::new(false),
        }))
    }

    /// The reason for which an operation waits: the connection, while the server cannot be reached.
    pub(crate) fn over(&self, waiting: Waiting) -> Waiting {
        self.0.outage.borrow().clone().unwrap_or(waiting)
    }

    /// Changes of the reason for waiting.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Waiting>> {
        self.0.outage.subscribe()
    }

    /// The reason for waiting after a failure with this cause.
    pub(crate) fn lost(&self, cause: impl Into<String>) -> WaitingFor {
        WaitingFor::Connection {
            address: self.0.address.clone(),
            cause: cause.into(),
        }
    }

    /// Records an answer, whatever its status.
    pub(crate) fn note_answer(&self) {
        if self.0.outage.borrow().is_none() {
            return;
        }
        let ended = self.0.outage.send_replace(None);
        if self.0.has_warned.swap(false, Ordering::Relaxed)
            && let Some(ended) = ended
        {
            let after = ended.elapsed().as_secs_f64();
            tracing::info!("{} is reached again, after {after:.0} s", self.0.address);
        }
    }

    /// Records a request without an answer. `took` is the time since its first attempt, `left` the time after which it
    /// is given up at the latest.
    pub(crate) fn note_failure(
        &self,
        error: &TransportError,
        took: Duration,
        left: Option<Duration>,
    ) {
        if !matches!(error.kind(), Kind::Connect | Kind::Interrupted) {
            return;
        }
        let reason = self.lost(one_line(error));
        let since = Instant::now().checked_sub(took);
        self.0.outage.send_if_modified(|outage| match outage {
            Some(outage) if outage.reason == reason => false,
            Some(outage) => {
                outage.reason = reason;
                true
            }
            None => {
                *outage = Some(Waiting::since(reason, since.unwrap_or_else(Instant::now)));
                true
            }
        });
        let outage = self.0.outage.borrow().clone();
        let Some(outage) = outage.filter(|outage| outage.elapsed() >= WARN_AFTER) else {
            return;
        };
        if !self.0.has_warned.swap(true, Ordering::Relaxed) {
            let end = left.map_or_else(String::new, |left| {
                format!(", at most for another {:.0} s", left.as_secs_f64())
            });
            tracing::warn!("{outage}; trying again{end}");
        }
    }
}

impl AttemptWatcher for Reach {
    fn attempt_failed(&self, failed: &FailedAttempt<'_>) {
        self.note_failure(failed.error, failed.elapsed, failed.remaining);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::error::Error;
    use crate::fixture::{FakeServer, Reply, traced};

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_server_is_named_from_the_first_failed_attempt() {
        let server = FakeServer::new();
        server.on("client/config", |_| Some(Reply::unreachable()));
        let (lines, guard) = traced();
        let service = server.service();
        let pending = service.create_sampling_client("base");
        let mut updates = Box::pin(pending.updates());
        assert_eq!(updates.next().await.unwrap().reason, WaitingFor::Session);
        let lost = updates.next().await.unwrap();
        let text = "http://fake cannot be reached (cannot connect)";
        assert_eq!(lost.to_string(), text);
        assert!(lost.elapsed() < Duration::from_millis(10));
        assert_eq!(pending.waiting().unwrap(), lost);
        assert!(!lines.text().contains("WARN"));
        let error = pending.within(Duration::from_secs(8)).await.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        let Error::TimedOut(error) = error else {
            panic!("{error}")
        };
        assert!(error.waiting().elapsed() >= Duration::from_secs(8));
        let log = lines.text();
        assert_eq!(log.matches("WARN").count(), 1, "{log}");
        assert!(
            log.contains(&format!("{text}; trying again, at most for another")),
            "{log}"
        );

        server.on("client/config", |_| {
            Some(Reply::json(serde_json::json!({})))
        });
        let later = service.create_sampling_client("base");
        assert!(matches!(
            later.waiting().unwrap().reason,
            WaitingFor::Connection { .. }
        ));
        later.await.unwrap();
        drop(guard);
        assert!(lines.text().contains("http://fake is reached again"));
    }
}
