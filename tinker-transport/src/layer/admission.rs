//! Admission layer: limits on concurrent calls and bytes.

use http::Request;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::error::TransportError;
use crate::flow::class::{Class, PerClass};
use crate::flow::gate::Gate;
use crate::flow::limits::ClassLimits;
use crate::observe::event::Event;
use crate::observe::observer::Observers;
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Concurrent samples while the server throttles, and the factor applied to their weight.
const CAREFUL_CONCURRENCY: usize = 10;
const CAREFUL_FACTOR: u64 = 20;

/// Limits the concurrent calls and bytes of each class; other calls wait in order.
///
/// Permits are held until the head of the response, across all retries, and return when the future is dropped. While
/// the gate reports back-pressure, at most ten samples are concurrent, and each counts twenty times its weight.
///
/// # Order
/// Outside retry, so that retries cannot multiply the load. Wrong: inside retry, where many tries would queue for
/// permits again and again, and a call that waits out its back-off would let others overload the same server.
#[derive(Debug, Clone)]
pub struct AdmissionLayer {
    rooms: Arc<PerClass<Room>>,
    gate: Option<Gate>,
    observers: Observers,
}

/// Held until the head of the response arrives.
type Permits<'a> = [Option<SemaphorePermit<'a>>; 3];

/// Remaining permits of one class.
#[derive(Debug)]
struct Room {
    slots: Option<Semaphore>,
    careful: Semaphore,
    bytes: Option<(Semaphore, u32)>,
}

impl Room {
    fn new(limits: &ClassLimits) -> Self {
        Self {
            slots: limits
                .concurrency
                .map(|n| Semaphore::new(n.get().min(Semaphore::MAX_PERMITS))),
            careful: Semaphore::new(CAREFUL_CONCURRENCY),
            bytes: limits
                .bytes
                .map(|bytes| (Semaphore::new(bytes as usize), bytes)),
        }
    }

    /// Waits for permits, always in the same order, so that two waiters cannot block each other.
    async fn enter(&self, weight: u64, is_careful: bool) -> Permits<'_> {
        let slot = take(self.slots.as_ref(), 1).await;
        let careful = take(is_careful.then_some(&self.careful), 1).await;
        let weight = if is_careful {
            weight.saturating_mul(CAREFUL_FACTOR)
        } else {
            weight
        };
        let bytes = match &self.bytes {
            // A weight above the limit takes all of it instead of waiting forever.
            Some((bytes, all)) => take(Some(bytes), weight.min(u64::from(*all)) as u32).await,
            None => None,
        };
        [slot, careful, bytes]
    }
}

async fn take(semaphore: Option<&Semaphore>, permits: u32) -> Option<SemaphorePermit<'_>> {
    // The semaphores are never closed, so this always yields a permit.
    semaphore?.acquire_many(permits).await.ok()
}

impl AdmissionLayer {
    /// Admits calls within these limits.
    pub fn new(limits: &PerClass<ClassLimits>) -> Self {
        let rooms = PerClass::from_fn(|class| Room::new(limits.get(class)));
        Self {
            rooms: Arc::new(rooms),
            gate: None,
            observers: Observers::new(),
        }
    }

    tinker_types::setters! {
        /// Reports calls that had to wait to these observers.
        with_observers(observers: Observers) => observers = observers;

        /// Admits samples with care while this gate reports back-pressure.
        with_gate(gate: Gate) => gate = Some(gate);
    }

    /// Waits for permits.
    async fn admit(&self, request: &Request<Body>) -> Result<Permits<'_>, TransportError> {
        let call = Call::find(request);
        let weight = call.weight_of(request);
        let is_careful =
            call.class == Class::Sample && self.gate.as_ref().is_some_and(Gate::is_throttled);
        let room = self.rooms.get(call.class);
        let mut permits = pin!(room.enter(weight, is_careful));
        // Usually permits are available, and then neither clock nor deadline is needed.
        if let Poll::Ready(permits) =
            poll_fn(|context| Poll::Ready(permits.as_mut().poll(context))).await
        {
            return Ok(permits);
        }
        let began = Instant::now();
        let permits = call.before_deadline(permits).await?;
        self.observers.emit(|| Event::Admitted {
            operation: call.operation,
            class: call.class,
            waited: began.elapsed(),
        });
        Ok(permits)
    }
}

tower_layer!(AdmissionLayer makes Admission);

impl Around for AdmissionLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let _permits = self.admit(request).await?;
        inner.run(request).await
    }
}

#[cfg(test)]
mod tests;
