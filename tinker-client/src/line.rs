//! Operations that share a fate: those of one model, or of one sampler.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tinker_types::QueueState;
use tokio::time::Instant;

use crate::news::News;
use crate::observe::ClientEvent;
use crate::waiting::Notice;

/// A person hears of the same pause this often.
const NOTICE: Duration = Duration::from_mins(1);

/// The operations of one model or one sampler that are under way.
///
/// It knows when any of them last got further, and tells people when the server has paused them, at
/// most once a minute, and when all of them are stuck.
#[derive(Debug)]
pub(crate) struct Line {
    subject: String,
    news: News,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In the order in which they began.
    under_way: BTreeMap<u64, Arc<Notice>>,
    began: u64,
    moved: Instant,
    told_of_pause: Option<Instant>,
    told_of_stop: Option<Instant>,
}

impl State {
    /// When an operation last moved, or it was last said that none does.
    fn last_word(&self) -> Instant {
        self.told_of_stop
            .map_or(self.moved, |at| at.max(self.moved))
    }
}

impl Line {
    /// For operations of this kind, as in `sampling from s-1:sample:0`.
    pub(crate) fn new(subject: impl Into<String>, news: &News) -> Arc<Self> {
        Arc::new(Self {
            subject: subject.into(),
            news: news.clone(),
            state: Mutex::new(State {
                under_way: BTreeMap::new(),
                began: 0,
                moved: Instant::now(),
                told_of_pause: None,
                told_of_stop: None,
            }),
        })
    }

    pub(crate) fn news(&self) -> &News {
        &self.news
    }

    /// An operation is under way, until the place is dropped.
    pub(crate) fn enter(&self, notice: Arc<Notice>) -> Place<'_> {
        let mut state = self.state();
        if state.under_way.is_empty() {
            state.moved = Instant::now();
        }
        let number = state.began;
        state.began += 1;
        state.under_way.insert(number, notice);
        Place { line: self, number }
    }

    /// One of the operations was accepted, or has ended.
    pub(crate) fn moved(&self) {
        let mut state = self.state();
        state.moved = Instant::now();
        state.told_of_stop = None;
    }

    /// Takes note of what the server says about the queue.
    pub(crate) fn note(&self, queue: Option<&QueueState>, reason: Option<&str>) {
        let Some(queue) = queue.filter(|queue| **queue != QueueState::Active) else {
            return;
        };
        let mut state = self.state();
        if state.told_of_pause.is_some_and(|at| at.elapsed() < NOTICE) {
            return;
        }
        state.told_of_pause = Some(Instant::now());
        drop(state);
        let reason = reason.unwrap_or(match queue {
            QueueState::PausedCapacity => "the server is short of capacity",
            QueueState::PausedRateLimit => "a limit on concurrent use is reached",
            _ => "the server does not say why",
        });
        tracing::warn!(state = %queue, reason, "{} is paused", self.subject);
    }

    /// Says for ever whenever nothing has moved for too long.
    pub(crate) async fn complain(&self) -> std::convert::Infallible {
        let limit = self.news.stuck_after();
        loop {
            let last = self.state().last_word();
            match last.checked_add(limit) {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
            let now = Instant::now();
            let mut state = self.state();
            // Each operation under way comes here; the first speaks for all.
            if now.duration_since(state.last_word()) < limit {
                continue;
            }
            state.told_of_stop = Some(now);
            let quiet = now.duration_since(state.moved);
            let count = state.under_way.len();
            let oldest = state.under_way.values().next().cloned();
            drop(state);
            if let Some(oldest) = oldest {
                self.tell(&oldest, quiet, count);
            }
        }
    }

    fn tell(&self, oldest: &Notice, quiet: Duration, count: usize) {
        let waiting = oldest.get();
        let promise = oldest.promise();
        let id = promise.as_ref().map(|(_, id)| id.as_str());
        tracing::warn!(
            method = oldest.method(),
            request_id = id,
            waiting_for = %waiting,
            waited = ?waiting.elapsed(),
            under_way = count,
            "{}: nothing has moved for {quiet:?}; the oldest operation waits: {waiting}",
            self.subject,
        );
        self.news.observers().emit(|| ClientEvent::Stuck {
            operation: promise.as_ref().map_or(oldest.method(), |(name, _)| name),
            id,
            waiting: &waiting,
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line, given up by drop.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    line: &'a Line,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.line.state().under_way.remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
