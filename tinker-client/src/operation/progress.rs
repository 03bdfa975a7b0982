//! The progress of one operation.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tinker_types::RequestId;
use tokio::sync::watch;

use crate::operation::waiting::{Waiting, WaitingFor};

/// The public method of one operation, its current reason for waiting, and its open promises.
#[derive(Debug)]
pub(crate) struct Progress {
    method: &'static str,
    waiting: watch::Sender<Waiting>,
    /// Open promises: the name of the operation and the server's id of the request.
    promises: Mutex<Vec<(&'static str, RequestId)>>,
}

impl Progress {
    /// Progress of an operation started by a public method named as `Class.method`.
    pub(crate) fn new(method: &'static str, reason: WaitingFor) -> Self {
        Self {
            method,
            waiting: watch::Sender::new(Waiting::new(reason)),
            promises: Mutex::default(),
        }
    }

    /// The public method that started the operation.
    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    /// Sets the reason for waiting. An unchanged reason keeps its start time.
    pub(crate) fn set(&self, reason: WaitingFor) {
        self.waiting.send_if_modified(|waiting| {
            let is_changed = waiting.reason != reason;
            if is_changed {
                *waiting = Waiting::new(reason);
            }
            is_changed
        });
    }

    pub(crate) fn get(&self) -> Waiting {
        self.waiting.borrow().clone()
    }

    /// Changes of the reason; the channel closes when this is dropped.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Waiting> {
        self.waiting.subscribe()
    }

    /// Records a promise of the server.
    pub(crate) fn accepted(&self, operation: &'static str, id: &RequestId) {
        self.promises().push((operation, id.clone()));
    }

    /// Records the end of a promise.
    pub(crate) fn ended(&self, id: &RequestId) {
        self.promises().retain(|(_, other)| other != id);
    }

    /// The oldest open promise.
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
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn the_same_reason_keeps_its_time() {
        let progress = Progress::new("Class.method", WaitingFor::Turn);
        tokio::time::advance(Duration::from_secs(3)).await;
        progress.set(WaitingFor::Turn);
        assert_eq!(progress.get().elapsed(), Duration::from_secs(3));
        progress.set(WaitingFor::Acceptance);
        assert_eq!(progress.get().elapsed(), Duration::ZERO);
    }
}
