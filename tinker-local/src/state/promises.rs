//! All promised results of one engine, in bounded memory.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tinker_types::{Completion, RequestId, RequestType, SessionId};
use tokio::sync::Notify;

use super::completions::{Completions, Poller};
use super::promise::{Class, Failure, Outcome, Payload, Promise};
use super::recent::Recent;
use super::timeline::{Slice, Timeline};
use crate::{Limits, clock};

/// Most forgotten ids that are remembered, so that errors can distinguish them from unknown ids.
const REMEMBERED: usize = 1 << 16;

/// All promised results.
#[derive(Debug)]
pub(crate) struct Promises {
    table: Mutex<Table>,
    limits: Limits,
    /// Notified when a sample has finished.
    sampled: Notify,
}

#[derive(Debug)]
struct Table {
    known: HashMap<RequestId, Entry>,
    /// Finished and never fetched, in the order in which they finished.
    unfetched: BTreeMap<u64, RequestId>,
    /// Finished and fetched, with the time of the first fetch.
    fetched: VecDeque<(Instant, RequestId)>,
    kept_bytes: usize,
    expired: Recent<RequestId>,
    /// Number of finished operations. The count at which one finished is its ticket.
    finished: u64,
    queued: Queued,
    completions: Completions,
    timeline: Timeline,
}

#[derive(Debug)]
struct Entry {
    promise: Arc<Promise>,
    /// Set when it has finished; its key in `unfetched` until it is fetched.
    ticket: Option<u64>,
    is_fetched: bool,
}

#[derive(Debug, Default)]
struct Queued {
    operations: usize,
    samples: usize,
    bytes: usize,
}

/// Result of looking up an id.
#[derive(Debug)]
pub(crate) enum Found {
    Known(Arc<Promise>),
    /// The result existed and is no longer kept.
    Expired,
    Unknown,
}

/// A limit is reached. The text says which, and what to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Full(pub(crate) String);

impl Promises {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        let table = Table {
            known: HashMap::new(),
            unfetched: BTreeMap::new(),
            fetched: VecDeque::new(),
            kept_bytes: 0,
            expired: Recent::new(REMEMBERED),
            finished: 0,
            queued: Queued::default(),
            completions: Completions::default(),
            timeline: Timeline::new(clock::now()),
        };
        Arc::new(Self {
            table: Mutex::new(table),
            limits,
            sampled: Notify::new(),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: &RequestId) -> Found {
        let table = self.table();
        match table.known.get(id) {
            Some(entry) => Found::Known(Arc::clone(&entry.promise)),
            None if table.expired.contains(id) => Found::Expired,
            None => Found::Unknown,
        }
    }

    /// Accepts an operation. `None` if the same was accepted before. `must_fit` skips the limits for an operation that
    /// others wait for: refusing it would block their places in the queue.
    pub(crate) fn accept(
        self: &Arc<Self>,
        id: RequestId,
        kind: RequestType,
        weight: usize,
        must_fit: bool,
    ) -> Result<Option<PromiseWriter>, Full> {
        let promise = Arc::new(Promise::new(id.clone(), kind, weight));
        let class = promise.class();
        let mut table = self.table();
        if table.known.contains_key(&id) || table.expired.contains(&id) {
            return Ok(None);
        }
        if !must_fit {
            table.queued.check(class, weight, &self.limits)?;
        }
        table.queued.add(class, weight);
        table.known.insert(
            id,
            Entry {
                promise: Arc::clone(&promise),
                ticket: None,
                is_fetched: false,
            },
        );
        Ok(Some(PromiseWriter {
            promise,
            promises: Arc::clone(self),
        }))
    }

    /// Cancels an operation. Returns whether it had not finished.
    pub(crate) fn cancel(&self, id: &RequestId) -> bool {
        match self.find(id) {
            Found::Known(promise) => {
                self.settle(&promise, Err(Failure::user("cancelled by the client")))
            }
            _ => false,
        }
    }

    /// Records that a result was sent. It can be fetched again for a while, in case the response was lost.
    pub(crate) fn note_fetch(&self, id: &RequestId) {
        let mut table = self.table();
        if let Some(entry) = table.known.get_mut(id)
            && let Some(ticket) = entry.ticket
            && !entry.is_fetched
        {
            entry.is_fetched = true;
            table.unfetched.remove(&ticket);
            table.fetched.push_back((clock::now(), id.clone()));
        }
        table.evict(&self.limits);
    }

    /// Forgets results that the client has received.
    pub(crate) fn acknowledge(&self, poller: &Poller, ids: &[RequestId]) {
        let mut table = self.table();
        let arrived: HashSet<&RequestId> = ids.iter().filter(|id| poller.owns(id)).collect();
        for id in &arrived {
            if let Some(ticket) = table.known.get(*id).and_then(|entry| entry.ticket) {
                table.unfetched.remove(&ticket);
                table.forget(id);
            }
        }
        table.fetched.retain(|(_, id)| !arrived.contains(id));
    }

    /// Samples of a poller that finished after the ticket `seen`, and the newest ticket.
    pub(crate) fn ended(&self, poller: &Poller, seen: u64) -> (Vec<Completion>, u64) {
        self.table().completions.after(poller, seen)
    }

    /// Waits until a sample has finished after the ticket `seen`. Cancel safe.
    pub(crate) async fn next_ended(&self, poller: &Poller, seen: u64) -> (Vec<Completion>, u64) {
        loop {
            // Registered before the check, so that a notification between the two is not missed.
            let mut sampled = std::pin::pin!(self.sampled.notified());
            sampled.as_mut().enable();
            let ended = self.ended(poller, seen);
            if !ended.0.is_empty() {
                return ended;
            }
            sampled.await;
        }
    }

    /// Whether a finished sample of this poller is still kept.
    pub(crate) fn has_ended(&self, poller: &Poller) -> bool {
        self.table().completions.knows(poller)
    }

    /// The trace of a session, see [`Timeline::trace`].
    pub(crate) fn trace(&self, session: &SessionId) -> Value {
        self.table().timeline.trace(session)
    }

    fn settle(&self, promise: &Arc<Promise>, outcome: Outcome) -> bool {
        let size = outcome.as_ref().ok().map(Payload::len);
        // Under the lock, so that every visible outcome is counted.
        let mut table = self.table();
        if !promise.settle(outcome) {
            return false;
        }
        table.queued.remove(promise.class(), promise.weight);
        table.finished += 1;
        let ticket = table.finished;
        if let Some(entry) = table.known.get_mut(&promise.id) {
            entry.ticket = Some(ticket);
            table.unfetched.insert(ticket, promise.id.clone());
            table.kept_bytes += size.unwrap_or(0);
        }
        table.timeline.add(Slice {
            id: promise.id.clone(),
            kind: promise.kind,
            accepted: promise.accepted,
            started: promise.started(),
            ended: clock::now(),
            failed: size.is_none(),
        });
        if promise.class() == Class::Sampling {
            table.completions.add(ticket, &promise.id, size);
            self.sampled.notify_waiters();
        }
        table.evict(&self.limits);
        true
    }
}

impl Table {
    fn evict(&mut self, limits: &Limits) {
        let too_old = |at: &Instant| clock::now().duration_since(*at) > limits.kept_after_fetch;
        while self.fetched.front().is_some_and(|(at, _)| too_old(at)) {
            self.forget_fetched();
        }
        let kept = |table: &Self| table.fetched.len() + table.unfetched.len();
        // The last one stays, even if it is too large: a client waits for it.
        while kept(self) > 1
            && (kept(self) > limits.kept_results || self.kept_bytes > limits.kept_bytes)
        {
            if !self.forget_fetched()
                && let Some((_, id)) = self.unfetched.pop_first()
            {
                tracing::warn!(request_id = %id, "a result that was never fetched is dropped: too many are kept");
                self.forget(&id);
            }
        }
    }

    fn forget_fetched(&mut self) -> bool {
        let front = self.fetched.pop_front();
        if let Some((_, id)) = &front {
            self.forget(id);
        }
        front.is_some()
    }

    fn forget(&mut self, id: &RequestId) {
        if let Some(entry) = self.known.remove(id) {
            self.kept_bytes -= entry
                .promise
                .outcome()
                .and_then(|outcome| outcome.as_ref().ok())
                .map_or(0, Payload::len);
            if let Some(ticket) = entry.ticket {
                self.completions.forget(ticket, id);
            }
            self.expired.insert(id.clone());
        }
    }
}

impl Queued {
    fn check(&self, class: Class, weight: usize, limits: &Limits) -> Result<(), Full> {
        let (have, most, what) = match class {
            Class::Training => (
                self.operations,
                limits.queued_operations,
                "training operations",
            ),
            Class::Sampling => (self.samples, limits.queued_samples, "sampling requests"),
        };
        if have >= most {
            return Err(Full(format!(
                "{have} {what} are queued, which is the most; wait for some to finish"
            )));
        }
        if self.bytes > 0 && self.bytes + weight > limits.queued_bytes {
            let (have, most) = (self.bytes, limits.queued_bytes);
            return Err(Full(format!(
                "requests of {have} bytes are queued, {most} is the most; wait for some to finish"
            )));
        }
        Ok(())
    }

    fn count(&mut self, class: Class) -> &mut usize {
        match class {
            Class::Training => &mut self.operations,
            Class::Sampling => &mut self.samples,
        }
    }

    fn add(&mut self, class: Class, weight: usize) {
        *self.count(class) += 1;
        self.bytes += weight;
    }

    fn remove(&mut self, class: Class, weight: usize) {
        *self.count(class) -= 1;
        self.bytes -= weight;
    }
}

/// Sets the outcome of one promise. If it is dropped before that, the operation fails, so that no promise stays open
/// after an error.
#[derive(Debug)]
pub(crate) struct PromiseWriter {
    promise: Arc<Promise>,
    promises: Arc<Promises>,
}

impl PromiseWriter {
    pub(crate) fn id(&self) -> &RequestId {
        &self.promise.id
    }

    pub(crate) fn mark_running(&self) {
        self.promise.mark_running();
    }

    /// Whether the promise already has an outcome, because it was cancelled.
    pub(crate) fn is_settled(&self) -> bool {
        self.promise.outcome().is_some()
    }

    pub(crate) fn settle(self, outcome: Outcome) {
        self.promises.settle(&self.promise, outcome);
    }

    pub(crate) fn fail(self, failure: impl Into<Failure>) {
        self.settle(Err(failure.into()));
    }
}

impl Drop for PromiseWriter {
    fn drop(&mut self) {
        if self.is_settled() {
            return;
        }
        let why = if std::thread::panicking() {
            "the engine crashed in this operation; load the last checkpoint into a new model"
        } else {
            "the engine stopped before this operation was done"
        };
        self.promises
            .settle(&self.promise, Err(Failure::server(why)));
    }
}

#[cfg(test)]
mod tests;
