//! Waiting samples, and the acknowledgements owed to the server.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tinker_types::{Completion, Completions, PollTarget, RequestId, RetrieveFutures};
use tokio::sync::{Notify, oneshot};

use crate::promise::record::Hint;

/// The bookkeeping of one poller.
#[derive(Debug)]
pub(super) struct Ledger {
    target: PollTarget,
    state: Mutex<State>,
    changed: Notify,
    closed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiters: HashMap<RequestId, oneshot::Sender<Hint>>,
    /// Samples being submitted, whose ids are not known yet.
    submissions: usize,
    /// Completions that arrived before the id of their sample was known.
    early: HashMap<RequestId, Hint>,
    /// Results that were fetched and not acknowledged yet.
    fetched: BTreeSet<RequestId>,
    cursor: i64,
    /// The last cursor that was sent back to the server.
    acknowledged: i64,
    is_broken: bool,
    is_closed: bool,
}

/// The next action of the poller.
pub(super) enum Next {
    /// Samples wait: make a long poll.
    Poll(RetrieveFutures),
    /// No sample waits: acknowledge fetched results.
    Acknowledge(RetrieveFutures),
    /// Wait for a change.
    Rest,
    /// The sampler was dropped; send the last acknowledgement, if there is one.
    End(Option<RetrieveFutures>),
}

impl Ledger {
    pub(super) fn new(target: PollTarget) -> Self {
        Self {
            target,
            state: Mutex::default(),
            changed: Notify::new(),
            closed: Notify::new(),
        }
    }

    pub(super) fn next(&self) -> Next {
        let state = self.state();
        let is_behind = state.cursor != state.acknowledged || !state.fetched.is_empty();
        let request = || {
            let mut request = RetrieveFutures::new(self.target.clone());
            request.prev_cursor = state.cursor;
            request.retrieved_request_ids = state.fetched.iter().cloned().collect();
            request
        };
        let short = || {
            let mut request = request();
            request.timeout = Some(0.0);
            request
        };
        match () {
            () if state.is_closed => Next::End(is_behind.then(short)),
            () if !state.waiters.is_empty() => Next::Poll(request()),
            () if is_behind => Next::Acknowledge(short()),
            () => Next::Rest,
        }
    }

    /// Waits for a change since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until the sampler is dropped.
    pub(super) async fn closed(&self) {
        if !self.state().is_closed {
            self.closed.notified().await;
        }
    }

    /// Counts a sample that is about to be submitted.
    pub(super) fn begin(&self) {
        self.state().submissions += 1;
    }

    /// Ends a submission that failed.
    pub(super) fn end_submission(&self) {
        self.state().end_submission();
        self.changed.notify_one();
    }

    /// Registers a waiter for an accepted sample.
    pub(super) fn wait_for(&self, id: &RequestId) -> oneshot::Receiver<Hint> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        let known = state.early.remove(id);
        let known = known.or(state.is_broken.then_some(Hint::None));
        if let Some(hint) = known {
            // The receiver is still in scope.
            let _ = sender.send(hint);
        } else {
            state.waiters.insert(id.clone(), sender);
        }
        state.end_submission();
        drop(state);
        self.changed.notify_one();
        receiver
    }

    pub(super) fn fetched(&self, id: RequestId) {
        let mut state = self.state();
        if !state.is_broken {
            state.fetched.insert(id);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Removes a waiter.
    pub(super) fn give_up(&self, id: &RequestId) {
        self.state().waiters.remove(id);
    }

    /// Applies the answer of a poll.
    pub(super) fn hear(&self, asked: &RetrieveFutures, answer: Completions, was_short: bool) {
        let mut state = self.state();
        for id in &asked.retrieved_request_ids {
            state.fetched.remove(id);
        }
        state.cursor = answer.cursor;
        // A short poll without new completions has acknowledged everything.
        state.acknowledged = if was_short && answer.completions.is_empty() {
            answer.cursor
        } else {
            asked.prev_cursor
        };
        for completion in answer.completions {
            let (id, hint) = match completion {
                Completion::Finished {
                    request_id,
                    response_payload_uncompressed_size: Some(bytes @ 1..),
                } => (request_id, Hint::Size(bytes)),
                Completion::Finished { request_id, .. } | Completion::Failed { request_id } => {
                    (request_id, Hint::None)
                }
                _ => continue,
            };
            match state.waiters.remove(&id) {
                // The waiter may be gone.
                Some(waiter) => drop(waiter.send(hint)),
                None if state.submissions > 0 => drop(state.early.insert(id, hint)),
                // Cancelled: the server may delete it.
                None => drop(state.fetched.insert(id)),
            }
        }
    }

    /// Makes every waiter poll for itself.
    pub(super) fn release(&self, hint: Hint) {
        for (_, waiter) in self.state().waiters.drain() {
            // The waiter may be gone.
            let _ = waiter.send(hint);
        }
    }

    /// Makes every present and future waiter poll for itself.
    pub(super) fn break_off(&self) {
        let mut state = self.state();
        state.is_broken = true;
        state.fetched.clear();
        drop(state);
        self.release(Hint::None);
    }

    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_one();
        self.closed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_submission(&mut self) {
        self.submissions -= 1;
        if self.submissions == 0 {
            // No submission is left that could claim these.
            let early = std::mem::take(&mut self.early);
            self.fetched.extend(early.into_keys());
        }
    }
}
