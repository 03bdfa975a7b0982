//! Metrics.

mod histogram;
mod prometheus;
mod snapshot;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub(crate) use histogram::Histogram;
pub use histogram::Latency;
pub use prometheus::Prometheus;
pub use snapshot::{OperationCounts, Snapshot};

use crate::mutex::lock;
use crate::observe::event::{BreakerChange, End, Event, GateChange, Observation};
use crate::observe::observer::Observer;

/// An observer that counts calls, retries, waits and latencies per operation.
///
/// Clones share one set of counters, so keep one clone and attach another. Once an operation is known, counting takes
/// no exclusive lock, and a quarter of a microsecond a request.
///
/// ```
/// use std::sync::Arc;
/// use tinker_transport::{Metrics, TransportConfig};
///
/// let metrics = Metrics::new();
/// let config = TransportConfig::new("http://localhost:8000").with_observer(Arc::new(metrics.clone()));
/// // ... later
/// for (operation, counts) in &metrics.snapshot().operations {
///     println!("{operation}: {} calls, p95 {:?}", counts.calls(), counts.latency.p95);
/// }
/// ```
#[derive(Clone, Default)]
pub struct Metrics(Arc<Counters>);

#[derive(Default)]
struct Counters {
    operations: RwLock<HashMap<&'static str, Arc<Operation>>>,
    throttled: AtomicU64,
    paused: AtomicU64,
    breakers_opened: AtomicU64,
    limits_moved: AtomicU64,
}

#[derive(Default)]
struct Operation {
    answered: [AtomicU64; 6],
    failed: AtomicU64,
    dropped: AtomicU64,
    attempts: AtomicU64,
    retries: AtomicU64,
    hedges: AtomicU64,
    hedges_won: AtomicU64,
    held_micros: AtomicU64,
    latency: Histogram,
    work: Mutex<BTreeMap<&'static str, u64>>,
    work_latency: Histogram,
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The current counts.
    pub fn snapshot(&self) -> Snapshot {
        let Self(counters) = self;
        let operations = counters
            .operations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            operations: operations
                .iter()
                .map(|(name, operation)| (*name, operation.counts()))
                .collect(),
            throttled: get(&counters.throttled),
            paused: get(&counters.paused),
            breakers_opened: get(&counters.breakers_opened),
            limits_moved: get(&counters.limits_moved),
        }
    }

    /// Counts a step of the work that an operation started on the server, for a client that follows such work.
    /// `result_after` is the time from submission to result; it goes into
    /// [`work_latency`](OperationCounts::work_latency).
    pub fn record_work(
        &self,
        operation: &'static str,
        step: &'static str,
        result_after: Option<Duration>,
    ) {
        let operation = self.operation(operation);
        *lock(&operation.work).entry(step).or_default() += 1;
        if let Some(elapsed) = result_after {
            operation.work_latency.record(elapsed);
        }
    }

    fn operation(&self, name: &'static str) -> Arc<Operation> {
        let operations = &self.0.operations;
        let known = operations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(operation) = known.get(name) {
            return Arc::clone(operation);
        }
        drop(known);
        let mut operations = operations.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(operations.entry(name).or_default())
    }
}

impl Observer for Metrics {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Attempt(seen) => more(&self.operation(seen.operation).attempts),
            Event::Call(seen) => self.operation(seen.operation).note_call(seen),
            Event::Retry { operation, .. } => more(&self.operation(operation).retries),
            Event::Admitted {
                operation, waited, ..
            } => self.operation(operation).note_held(*waited),
            Event::Gate {
                operation, change, ..
            } => match change {
                GateChange::Throttled(_) => more(&self.0.throttled),
                GateChange::Paused(_) => more(&self.0.paused),
                GateChange::Holding => {}
                GateChange::Passed(waited) => self.operation(operation).note_held(*waited),
            },
            Event::Breaker { change, .. } => {
                if let BreakerChange::Opened(_) = change {
                    more(&self.0.breakers_opened);
                }
            }
            Event::Unanswered { .. } => {}
            Event::Limit { .. } => more(&self.0.limits_moved),
            Event::Hedge {
                operation, has_won, ..
            } => {
                let operation = self.operation(operation);
                more(&operation.hedges);
                if *has_won {
                    more(&operation.hedges_won);
                }
            }
        }
    }
}

impl Operation {
    fn note_call(&self, seen: &Observation<'_>) {
        match seen.end {
            End::Answered(status) => {
                let hundreds = usize::from(status.as_u16() / 100).min(self.answered.len() - 1);
                more(&self.answered[hundreds]);
                self.latency.record(seen.elapsed);
            }
            End::Failed(_) => more(&self.failed),
            End::Dropped => more(&self.dropped),
        }
    }

    fn note_held(&self, waited: Duration) {
        self.held_micros
            .fetch_add(waited.as_micros() as u64, Ordering::Relaxed);
    }

    fn counts(&self) -> OperationCounts {
        OperationCounts {
            answered: std::array::from_fn(|n| get(&self.answered[n])),
            failed: get(&self.failed),
            dropped: get(&self.dropped),
            attempts: get(&self.attempts),
            retries: get(&self.retries),
            hedges: get(&self.hedges),
            hedges_won: get(&self.hedges_won),
            held: Duration::from_micros(get(&self.held_micros)),
            latency: self.latency.latency(),
            work: lock(&self.work).clone(),
            work_latency: self.work_latency.latency(),
        }
    }
}

fn more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").field(&self.snapshot()).finish()
    }
}

#[cfg(test)]
mod tests;
