//! Telling people that the server makes an operation wait.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tinker_types::QueueState;
use tokio::time::Instant;

/// A person hears of the same wait this often.
const NOTICE: Duration = Duration::from_mins(1);

/// Warns when the server has paused what a client does, at most once a minute.
#[derive(Debug)]
pub(crate) struct QueueLog {
    subject: String,
    noticed: Mutex<Option<Instant>>,
}

impl QueueLog {
    /// For operations of this kind, as in `sampling from s-1:sample:0`.
    pub(crate) fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            noticed: Mutex::new(None),
        }
    }

    /// Takes note of what the server says.
    pub(crate) fn note(&self, state: Option<&QueueState>, reason: Option<&str>) {
        let Some(state) = state.filter(|state| **state != QueueState::Active) else {
            return;
        };
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        if noticed.is_some_and(|at| at.elapsed() < NOTICE) {
            return;
        }
        *noticed = Some(Instant::now());
        let reason = reason.unwrap_or(match state {
            QueueState::PausedCapacity => "the server is short of capacity",
            QueueState::PausedRateLimit => "a limit on concurrent use is reached",
            _ => "the server does not say why",
        });
        tracing::warn!(%state, reason, "{} is paused", self.subject);
    }
}
