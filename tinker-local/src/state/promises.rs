//! All promised results of one engine, in bounded memory.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tinker_types::RequestId;

use super::Recent;
use super::promise::{Class, Failure, Outcome, Payload, Promise};
use crate::{Limits, clock};

/// Ids of forgotten results that are still told apart from ids that never were.
const REMEMBERED: usize = 1 << 16;

/// All promised results.
#[derive(Debug)]
pub(crate) struct Promises {
    table: Mutex<Table>,
    limits: Limits,
}

#[derive(Debug)]
struct Table {
    known: HashMap<RequestId, Entry>,
    /// Finished and never fetched, by the order in which they finished.
    unfetched: BTreeMap<u64, RequestId>,
    /// Finished and fetched, with the time of the first fetch.
    fetched: VecDeque<(Instant, RequestId)>,
    kept_bytes: usize,
    expired: Recent<RequestId>,
    finished: u64,
    queued: Queued,
}

#[derive(Debug)]
struct Entry {
    promise: Arc<Promise>,
    /// Its key in `unfetched`.
    finished: Option<u64>,
}

#[derive(Debug, Default)]
struct Queued {
    operations: usize,
    samples: usize,
    bytes: usize,
}

/// What is known of an id.
#[derive(Debug)]
pub(crate) enum Found {
    Known(Arc<Promise>),
    /// Its result was there and is no longer kept.
    Expired,
    Unknown,
}

/// Why no further operation is taken in.
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
        };
        Arc::new(Self {
            table: Mutex::new(table),
            limits,
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

    /// Takes in an operation, or nothing where the same was taken in before. `must_fit` is for the one that others
    /// wait for: refusing it for lack of room would keep the room taken for ever.
    pub(crate) fn accept(
        self: &Arc<Self>,
        id: RequestId,
        class: Class,
        weight: usize,
        must_fit: bool,
    ) -> Result<Option<Fulfil>, Full> {
        let promise = Arc::new(Promise::new(id.clone(), class, weight));
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
                finished: None,
            },
        );
        Ok(Some(Fulfil {
            promise,
            promises: Arc::clone(self),
        }))
    }

    /// Ends an operation whose result nobody wants. Says whether that was in time.
    pub(crate) fn cancel(&self, id: &RequestId) -> bool {
        match self.find(id) {
            Found::Known(promise) => {
                self.settle(&promise, Err(Failure::user("cancelled by the client")))
            }
            _ => false,
        }
    }

    /// Notes that a result was sent. It may be asked for again for a while, in case the answer was lost.
    pub(crate) fn note_fetch(&self, id: &RequestId) {
        let mut table = self.table();
        if let Some(ticket) = table
            .known
            .get_mut(id)
            .and_then(|entry| entry.finished.take())
        {
            table.unfetched.remove(&ticket);
            table.fetched.push_back((clock::now(), id.clone()));
        }
        table.evict(&self.limits);
    }

    fn settle(&self, promise: &Arc<Promise>, outcome: Outcome) -> bool {
        let bytes = outcome.as_ref().map_or(0, Payload::len);
        // Under the lock, so that nobody sees an outcome that is not accounted for.
        let mut table = self.table();
        if !promise.settle(outcome) {
            return false;
        }
        table.queued.remove(promise.class, promise.weight);
        let ticket = table.finished;
        table.finished += 1;
        if let Some(entry) = table.known.get_mut(&promise.id) {
            entry.finished = Some(ticket);
            table.unfetched.insert(ticket, promise.id.clone());
            table.kept_bytes += bytes;
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
        // The last one stays, however large: somebody waits for it.
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

/// The right and duty to end one operation. Dropped without an outcome, the operation has failed:
/// a promise never stays open because something behind it broke.
#[derive(Debug)]
pub(crate) struct Fulfil {
    promise: Arc<Promise>,
    promises: Arc<Promises>,
}

impl Fulfil {
    pub(crate) fn id(&self) -> &RequestId {
        &self.promise.id
    }

    pub(crate) fn mark_running(&self) {
        self.promise.mark_running();
    }

    /// It ended without us, by a cancel.
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

impl Drop for Fulfil {
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
