//! Groups of operations: those of one model, or of one sampler.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tinker_types::QueueState;
use tokio::task::AbortHandle;
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
    /// The task that warns, while there are operations.
    watcher: Option<AbortHandle>,
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
                watcher: None,
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

    /// Adds an operation until the returned guard is dropped. Needs a runtime.
    pub(crate) fn enter(self: Arc<Self>, progress: Arc<Progress>) -> Membership {
        let mut state = self.state();
        if state.in_flight.is_empty() {
            state.last_progress = Instant::now();
        }
        let number = state.started;
        state.started += 1;
        state.in_flight.insert(number, Arc::clone(&progress));
        // One task for all operations: a timer for each would cost as much as their registration here.
        if state.watcher.as_ref().is_none_or(AbortHandle::is_finished) {
            let watcher = tokio::spawn(watch(Arc::downgrade(&self)));
            state.watcher = Some(watcher.abort_handle());
        }
        drop(state);
        Membership {
            group: self,
            progress,
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

    /// Warns if no operation has made progress for long. Returns the time of the next check; `None` if no operation is left.
    fn check_progress(&self) -> Option<Instant> {
        let limit = self.events.stuck_after();
        let now = Instant::now();
        let mut state = self.state();
        let Some(oldest) = state.in_flight.values().next().cloned() else {
            state.watcher = None;
            return None;
        };
        if now.duration_since(state.last_activity()) >= limit {
            state.stuck_reported = Some(now);
            let quiet = now.duration_since(state.last_progress);
            let count = state.in_flight.len();
            drop(state);
            self.report_stuck(&oldest, quiet, count);
            return now.checked_add(limit);
        }
        state.last_activity().checked_add(limit)
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

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(watcher) = self.state().watcher.take() {
            watcher.abort();
        }
    }
}

/// Warns repeatedly while no operation of a group makes progress. Ends when the group has no operation left.
async fn watch(group: Weak<Group>) {
    while let Some(next) = group.upgrade().and_then(|group| group.check_progress()) {
        tokio::time::sleep_until(next).await;
    }
}

/// Membership of an operation in a group; ends on drop, as does the operation.
#[derive(Debug)]
pub(crate) struct Membership {
    group: Arc<Group>,
    progress: Arc<Progress>,
    number: u64,
}

impl Membership {
    /// Ends the membership. Returns the group.
    pub(crate) fn leave(self) -> Arc<Group> {
        Arc::clone(&self.group)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.progress.end();
        self.group.state().in_flight.remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
