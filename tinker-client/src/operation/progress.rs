//! The progress of one operation.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tinker_types::RequestId;
use tokio::sync::watch;

use crate::operation::waiting::{Waiting, WaitingFor};

/// The public method of one operation, its current reason for waiting, and its open promises.
#[derive(Debug)]
pub(crate) struct Progress {
    method: &'static str,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: Waiting,
    /// Open promises: the name of the operation and the server's id of the request.
    promises: Vec<(&'static str, RequestId)>,
    /// Sends changes of the reason. Made for the first receiver, as most operations have none.
    changes: Option<watch::Sender<Waiting>>,
    has_ended: bool,
}

impl Progress {
    /// Progress of an operation started by a public method named as `Class.method`.
    pub(crate) fn new(method: &'static str, reason: WaitingFor) -> Self {
        Self {
            method,
            state: Mutex::new(State {
                waiting: Waiting::new(reason),
                promises: Vec::new(),
                changes: None,
                has_ended: false,
            }),
        }
    }

    /// The public method that started the operation.
    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    /// Sets the reason for waiting. An unchanged reason keeps its start time.
    pub(crate) fn set(&self, reason: WaitingFor) {
        let mut state = self.state();
        if state.waiting.reason != reason {
            state.waiting = Waiting::new(reason);
            if let Some(changes) = &state.changes {
                changes.send_replace(state.waiting.clone());
            }
        }
    }

    pub(crate) fn get(&self) -> Waiting {
        self.state().waiting.clone()
    }

    /// Changes of the reason; the channel closes when the operation ends.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Waiting> {
        let mut state = self.state();
        let changes = match state.changes.take() {
            Some(changes) => changes,
            None => watch::Sender::new(state.waiting.clone()),
        };
        let receiver = changes.subscribe();
        state.changes = Some(changes).filter(|_| !state.has_ended);
        receiver
    }

    /// Records the end of the operation.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.has_ended = true;
        state.changes = None;
    }

    /// Records a promise of the server.
    pub(crate) fn accepted(&self, operation: &'static str, id: &RequestId) {
        self.state().promises.push((operation, id.clone()));
    }

    /// Records the end of a promise.
    pub(crate) fn ended(&self, id: &RequestId) {
        self.state().promises.retain(|(_, other)| other != id);
    }

    /// The oldest open promise.
    pub(crate) fn promise(&self) -> Option<(&'static str, RequestId)> {
        self.state().promises.first().cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
