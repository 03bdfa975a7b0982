//! Permits: how much may be under way at once.

use http::Request;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::call::Call;
use crate::class::{Class, PerClass};
use crate::error::TransportError;
use crate::event::Event;
use crate::gate::Gate;
use crate::limits::ClassLimits;
use crate::observer::Observers;
use crate::service::{Answer, Inner};

/// Samples let in at once while the server asks to slow down, and how much heavier each counts.
const CAREFUL_CONCURRENCY: usize = 10;
const CAREFUL_FACTOR: u64 = 20;

/// Lets in only so many calls and bytes of each class at once; the rest wait in order.
///
/// Permits are held from here until the head of the answer, over all retries, and return when
/// the future is dropped. While the gate reports back-pressure, samples are let in ten at a time
/// and count twenty times their weight.
///
/// # Order
/// Outside retry, so that retries cannot multiply what is in flight. Wrong: inside retry, where a
/// storm of tries would queue for permits again and again, and a call that waits out its back-off
/// would let others overload the same server.
#[derive(Debug, Clone)]
pub struct AdmissionLayer {
    rooms: Arc<PerClass<Room>>,
    gate: Option<Gate>,
    observers: Observers,
}

/// Held until the head of the answer is there.
type Permits<'a> = [Option<SemaphorePermit<'a>>; 3];

/// What one class has left.
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
            // What is heavier than the room takes the whole room instead of waiting for ever.
            Some((bytes, all)) => take(Some(bytes), weight.min(u64::from(*all)) as u32).await,
            None => None,
        };
        [slot, careful, bytes]
    }
}

async fn take(semaphore: Option<&Semaphore>, permits: u32) -> Option<SemaphorePermit<'_>> {
    // The semaphores are never closed, so the only answer is a permit.
    semaphore?.acquire_many(permits).await.ok()
}

impl AdmissionLayer {
    /// Admits by these limits.
    pub fn new(limits: &PerClass<ClassLimits>) -> Self {
        let rooms = PerClass::from_fn(|class| Room::new(limits.get(class)));
        Self {
            rooms: Arc::new(rooms),
            gate: None,
            observers: Observers::new(),
        }
    }

    /// Reports to these observers which calls had to wait.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }

    /// Waits for permits.
    async fn admit(&self, call: &Call, weight: u64) -> Result<Permits<'_>, TransportError> {
        let is_careful =
            call.class == Class::Sample && self.gate.as_ref().is_some_and(Gate::is_throttled);
        let room = self.rooms.get(call.class);
        let mut permits = pin!(room.enter(weight, is_careful));
        // Mostly there is room, and then neither clock nor deadline matters.
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

    /// Lets samples in carefully while this gate reports back-pressure.
    #[must_use]
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }
}

tower_layer!(AdmissionLayer makes Admission);

impl Around for AdmissionLayer {
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        let call = Call::of(request);
        let weight = call.weight_of(request);
        let _permits = self.admit(&call, weight).await?;
        inner.run(request).await
    }
}

#[cfg(test)]
mod tests;
