//! Groups of operations: those of one model, or of one sampler.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tinker_types::QueueState;
use tokio::time::Instant;
use uuid::Uuid;

use crate::observe::{event::ClientEvent, sink::EventSink};
use crate::operation::progress::Progress;

/// Shortest time between two log lines about the same pause.
const PAUSE_LOG_INTERVAL: Duration = Duration::from_mins(1);

/// The operations of one model or one sampler that are in flight.
///
/// Logs a pause of the server at most once a minute, and warns when no operation of the group has made progress for
/// [`Config::stuck_after`](crate::Config::stuck_after).
#[derive(Debug)]
pub(crate) struct Group {
    subject: String,
    /// Id that all requests about the model or sampler share.
    id: Arc<str>,
    events: EventSink,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In the order in which they started.
    in_flight: BTreeMap<u64, Arc<Progress>>,
    started: u64,
    last_progress: Instant,
    pause_logged: Option<Instant>,
    stuck_reported: Option<Instant>,
}

impl State {
    /// The later of the last progress and the last report of none.
    fn last_activity(&self) -> Instant {
        self.stuck_reported
            .map_or(self.last_progress, |at| at.max(self.last_progress))
    }
}

impl Group {
    /// An empty group. `subject` names it in log lines, for example `sampling from s-1:sample:0`.
    pub(crate) fn new(subject: impl Into<String>, events: &EventSink) -> Arc<Self> {
        let id = Uuid::new_v4().simple().to_string();
        Self::with_id(id.into(), subject, events)
    }

    /// An empty group about the same model or sampler as another one.
    pub(crate) fn with_id(
        id: Arc<str>,
        subject: impl Into<String>,
        events: &EventSink,
    ) -> Arc<Self> {
        Arc::new(Self {
            subject: subject.into(),
            id,
            events: events.clone(),
            state: Mutex::new(State {
                in_flight: BTreeMap::new(),
                started: 0,
                last_progress: Instant::now(),
                pause_logged: None,
                stuck_reported: None,
            }),
        })
    }

    /// Id that all requests about the model or sampler share.
    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(crate) fn events(&self) -> &EventSink {
        &self.events
    }

    /// Adds an operation until the returned guard is dropped.
    pub(crate) fn enter(&self, progress: Arc<Progress>) -> Membership<'_> {
        let mut state = self.state();
        if state.in_flight.is_empty() {
            state.last_progress = Instant::now();
        }
        let number = state.started;
        state.started += 1;
        state.in_flight.insert(number, progress);
        Membership {
            group: self,
            number,
        }
    }

    /// Records that an operation was accepted, or has ended.
    pub(crate) fn note_progress(&self) {
        let mut state = self.state();
        state.last_progress = Instant::now();
        state.stuck_reported = None;
    }

    /// Logs a pause that the server reports.
    pub(crate) fn note_queue_state(&self, queue: Option<&QueueState>, reason: Option<&str>) {
        let Some(queue) = queue.filter(|queue| **queue != QueueState::Active) else {
            return;
        };
        let mut state = self.state();
        if state
            .pause_logged
            .is_some_and(|at| at.elapsed() < PAUSE_LOG_INTERVAL)
        {
            return;
        }
        state.pause_logged = Some(Instant::now());
        drop(state);
        let reason = reason.unwrap_or(match queue {
            QueueState::PausedCapacity => "the server is short of capacity",
            QueueState::PausedRateLimit => "a limit on concurrent use is reached",
            _ => "the server gives no reason",
        });
        tracing::warn!(state = %queue, reason, "{} is paused", self.subject);
    }

    /// Warns repeatedly while no operation makes progress.
    pub(crate) async fn warn_when_stuck(&self) -> std::convert::Infallible {
        let limit = self.events.stuck_after();
        loop {
            let last = self.state().last_activity();
            match last.checked_add(limit) {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
            let now = Instant::now();
            let mut state = self.state();
            // Every operation in flight runs this loop; the first one to wake up reports for the group.
            if now.duration_since(state.last_activity()) < limit {
                continue;
            }
            state.stuck_reported = Some(now);
            let quiet = now.duration_since(state.last_progress);
            let count = state.in_flight.len();
            let oldest = state.in_flight.values().next().cloned();
            drop(state);
            if let Some(oldest) = oldest {
                self.report_stuck(&oldest, quiet, count);
            }
        }
    }

    fn report_stuck(&self, oldest: &Progress, quiet: Duration, count: usize) {
        let waiting = self.events.reach().over(oldest.get());
        let promise = oldest.promise();
        let id = promise.as_ref().map(|(_, id)| id.as_str());
        tracing::warn!(
            method = oldest.method(),
            request_id = id,
            waiting_for = %waiting,
            waited = ?waiting.elapsed(),
            in_flight = count,
            "{}: no progress for {quiet:?}; the oldest operation waits for: {waiting}",
            self.subject,
        );
        self.events.observers().emit(|| ClientEvent::Stuck {
            operation: promise.as_ref().map_or(oldest.method(), |(name, _)| name),
            id,
            waiting: &waiting,
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Membership of an operation in a group; ends on drop.
#[derive(Debug)]
pub(crate) struct Membership<'a> {
    group: &'a Group,
    number: u64,
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.group.state().in_flight.remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
