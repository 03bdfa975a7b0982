//! Adaptive concurrency layer.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::around::{Around, tower_layer};
use crate::error::{Kind, Stage};
use crate::flow::aimd::Aimd;
use crate::flow::class::{Class, PerClass};
use crate::mutex::lock;
use crate::observe::event::Event;
use crate::observe::observer::Observers;
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

const INITIAL: usize = 20;
const LEAST: usize = 1;
const MOST: usize = 400;

/// Determines how many concurrent tries a server sustains, and admits no more.
///
/// Additive increase, multiplicative decrease, per class: about once per response time the limit grows by one if it was
/// reached and times are normal; it shrinks by a tenth after a 429, 503 or timeout, or if times are a quarter above the
/// recent best. The best is measured again every 30 response times, at half the limit. The limit starts at 20 and stays
/// within 1 and 400.
///
/// By default only for samples and REST. Training is sequential and slow by nature, and long polls take as long as the
/// work they wait for, so their times do not show load.
///
/// Off by default; enabled by [`TransportConfig::with_adaptive`](crate::TransportConfig::with_adaptive). The fixed
/// limits of [`AdmissionLayer`](super::AdmissionLayer) apply as well.
///
/// # Order
/// Inside retry and gate: it must see single tries, and a call that sleeps between two of them should not occupy a
/// place.
#[derive(Clone)]
pub struct AdaptiveLayer {
    initial: usize,
    range: RangeInclusive<usize>,
    classes: PerClass<bool>,
    rooms: Arc<PerClass<Mutex<Option<Arc<Room>>>>>,
    observers: Observers,
}

/// State of one class: the limit, and the permits that enforce it.
struct Room {
    permits: Arc<Semaphore>,
    tally: Mutex<Tally>,
}

struct Tally {
    aimd: Aimd,
    under_way: usize,
    /// Number of existing permits.
    issued: usize,
}

impl AdaptiveLayer {
    /// Starts at 20 concurrent tries, for samples and REST.
    pub fn new() -> Self {
        Self {
            initial: INITIAL,
            range: LEAST..=MOST,
            classes: PerClass::from_fn(|class| matches!(class, Class::Sample | Class::Rest)),
            rooms: Arc::new(PerClass::from_fn(|_| Mutex::new(None))),
            observers: Observers::new(),
        }
    }

    tinker_types::setters! {
        /// Starts with this many concurrent tries.
        with_initial(tries: usize) => initial = tries;

        /// Keeps the limit within this range.
        with_range(range: RangeInclusive<usize>) => range = range;

        /// Applies to these classes only.
        with_classes(classes: &[Class]) => classes = PerClass::from_fn(|class| classes.contains(&class));

        /// Reports changed limits to these observers.
        with_observers(observers: Observers) => observers = observers;
    }

    /// Concurrent tries a class may have now; `None` if the layer does not apply to it, or nothing was sent yet.
    pub fn limit(&self, class: Class) -> Option<usize> {
        let room = lock(self.rooms.get(class));
        room.as_ref().map(|room| lock(&room.tally).aimd.limit())
    }

    fn room(&self, class: Class) -> Option<Arc<Room>> {
        if !self.classes.get(class) {
            return None;
        }
        let (least, most) = (*self.range.start(), *self.range.end());
        let mut room = lock(self.rooms.get(class));
        let room =
            room.get_or_insert_with(|| Arc::new(Room::new(Aimd::new(self.initial, least, most))));
        Some(Arc::clone(room))
    }
}

impl Default for AdaptiveLayer {
    fn default() -> Self {
        Self::new()
    }
}

tower_layer!(AdaptiveLayer makes Adaptive);

impl Around for AdaptiveLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let call = Call::of(request);
        let Some(room) = self.room(call.class) else {
            return inner.run(request).await;
        };
        let place = call.before_deadline(room.enter()).await?;
        let began = Instant::now();
        let result = inner.run(request).await;
        if let Some(is_overloaded) = is_overloaded(&result) {
            let (before, after) = place.learn(began.elapsed(), is_overloaded);
            if before != after {
                self.observers.emit(|| Event::Limit {
                    class: call.class,
                    before,
                    after,
                });
            }
        }
        result
    }
}

/// Whether this end shows overload. `None`: its time shows nothing about the server.
fn is_overloaded(result: &Answer) -> Option<bool> {
    match result {
        Ok(response) => Some(matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        )),
        Err(error) if error.stage() < Stage::MaybeReceived => None,
        Err(error) => (error.kind() == Kind::Timeout).then_some(true),
    }
}

impl Room {
    fn new(aimd: Aimd) -> Self {
        let issued = aimd.allowed();
        Self {
            permits: Arc::new(Semaphore::new(issued)),
            tally: Mutex::new(Tally {
                aimd,
                under_way: 0,
                issued,
            }),
        }
    }

    async fn enter(self: &Arc<Self>) -> InFlight {
        let permits = Arc::clone(&self.permits);
        // The semaphore is never closed, so a permit is always granted in the end.
        let permit = permits.acquire_owned().await.ok();
        let mut tally = lock(&self.tally);
        tally.under_way += 1;
        let under_way = tally.under_way;
        tally.aimd.started(under_way);
        drop(tally);
        InFlight {
            room: Arc::clone(self),
            permit,
        }
    }
}

/// An attempt in flight.
struct InFlight {
    room: Arc<Room>,
    permit: Option<OwnedSemaphorePermit>,
}

impl InFlight {
    /// Records how it ended. Returns the limit before and after.
    fn learn(&self, took: Duration, is_overloaded: bool) -> (usize, usize) {
        let mut tally = lock(&self.room.tally);
        let before = tally.aimd.limit();
        tally.aimd.ended(took, is_overloaded);
        let after = tally.aimd.limit();
        let allowed = tally.aimd.allowed();
        if tally.issued < allowed {
            self.room.permits.add_permits(allowed - tally.issued);
            tally.issued = allowed;
        }
        (before, after)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut tally = lock(&self.room.tally);
        tally.under_way -= 1;
        // A reduced limit takes effect as permits are not returned.
        if tally.issued > tally.aimd.allowed()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            tally.issued -= 1;
        }
    }
}

impl fmt::Debug for AdaptiveLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = Class::ALL.map(|class| (class.name(), self.limit(class)));
        f.debug_struct("AdaptiveLayer")
            .field("initial", &self.initial)
            .field("range", &self.range)
            .field("limits", &limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
