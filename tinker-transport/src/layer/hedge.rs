//! Hedging layer.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::around::{Around, tower_layer};
use crate::mutex::lock;
use crate::observe::event::Event;
use crate::observe::observer::Observers;
use crate::policy::{Disposition, Outcome};
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::request::replay::Replay;
use crate::request::spare::Spare;
use crate::service::{Answer, Inner};

/// Number of recent times per operation, and the least number of them required.
const KEPT: usize = 128;
const ENOUGH: usize = 20;
/// Contribution of each read to the budget, and its capacity.
const SHARE: f64 = 0.05;
const BURST: f64 = 10.0;

/// Sends a second request for a read whose response is slower than usual; the first response wins.
///
/// The other request is dropped and releases all its resources. A failure is returned only if both fail: while one is
/// in flight, it is waited for.
///
/// - Only reads: GET and HEAD with [`Replay::Safe`] in their [`Call`].
/// - After a fixed time, or once 95 % of the latest 128 reads of the same operation were faster.
/// - At most one in twenty reads in the long run, and ten in a row: hedging must not double the load of a server that
///   is slow because it is overloaded.
///
/// After J. Dean and L. A. Barroso, The Tail at Scale (2013). Off by default; enabled by
/// [`TransportConfig::with_hedge`](crate::TransportConfig::with_hedge).
///
/// # Order
/// Inside retry, so that a hedge competes with a try and not with a wait; outside breaker and adaptive concurrency,
/// which count it as a request.
#[derive(Clone)]
pub struct HedgeLayer {
    delay: Delay,
    shared: Arc<Mutex<Shared>>,
    observers: Observers,
}

#[derive(Debug, Clone, Copy)]
enum Delay {
    Fixed(Duration),
    Share(f64),
}

#[derive(Default)]
struct Shared {
    budget: f64,
    times: HashMap<&'static str, VecDeque<Duration>>,
}

impl HedgeLayer {
    /// Sends the second request after this time.
    pub fn after(delay: Duration) -> Self {
        Self::new(Delay::Fixed(delay))
    }

    /// Sends the second request once this share (0 to 1) of the latest reads were faster. The first 20 reads of an
    /// operation are only measured.
    pub fn after_share(share: f64) -> Self {
        Self::new(Delay::Share(share.clamp(0.0, 1.0)))
    }

    fn new(delay: Delay) -> Self {
        let shared = Shared {
            budget: 1.0,
            times: HashMap::new(),
        };
        Self {
            delay,
            shared: Arc::new(Mutex::new(shared)),
            observers: Observers::new(),
        }
    }

    tinker_types::setters! {
        /// Reports hedges to these observers.
        with_observers(observers: Observers) => observers = observers;
    }

    fn delay(&self, operation: &'static str) -> Option<Duration> {
        let mut shared = lock(&self.shared);
        shared.budget = (shared.budget + SHARE).min(BURST);
        let share = match self.delay {
            Delay::Fixed(delay) => return Some(delay),
            Delay::Share(share) => share,
        };
        let times = shared.times.get(operation)?;
        if times.len() < ENOUGH {
            return None;
        }
        let mut times: Vec<_> = times.iter().copied().collect();
        let rank = ((times.len() - 1) as f64 * share).round() as usize;
        Some(*times.select_nth_unstable(rank).1)
    }

    fn note(&self, operation: &'static str, took: Duration) {
        if let Delay::Share(_) = self.delay {
            let mut shared = lock(&self.shared);
            let times = shared.times.entry(operation).or_default();
            if times.len() == KEPT {
                times.pop_front();
            }
            times.push_back(took);
        }
    }

    fn spend(&self) -> bool {
        let mut shared = lock(&self.shared);
        let can_pay = shared.budget >= 1.0;
        if can_pay {
            shared.budget -= 1.0;
        }
        can_pay
    }
}

tower_layer!(HedgeLayer makes Hedge);

impl Around for HedgeLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let call = Call::of(request);
        let is_read = request.method().is_safe() && call.replay == Replay::Safe;
        let Some(spare) = Spare::of(request).filter(|_| is_read) else {
            return inner.run(request).await;
        };
        let began = Instant::now();
        let delay = self.delay(call.operation);
        let mut first = pin!(inner.run(request));
        let in_time = match delay {
            Some(delay) => tokio::time::timeout(delay, first.as_mut()).await.ok(),
            None => Some(first.as_mut().await),
        };
        let (result, has_won) = match in_time {
            Some(result) => (result, None),
            None if !self.spend() => (first.await, None),
            None => {
                let mut again = Outgoing::new(spare.to_request());
                let second = pin!(inner.run(&mut again));
                let (result, has_won) = race(first, second).await;
                (result, Some(has_won))
            }
        };
        if result.is_ok() {
            self.note(call.operation, began.elapsed());
        }
        if let (Some(has_won), Some(after)) = (has_won, delay) {
            self.observers.emit(|| Event::Hedge {
                operation: call.operation,
                class: call.class,
                after,
                has_won,
            });
        }
        result
    }
}

/// The first response that is not a failure, or the last failure; and whether it came from the second request.
async fn race(
    mut first: Pin<&mut impl Future<Output = Answer>>,
    mut second: Pin<&mut impl Future<Output = Answer>>,
) -> (Answer, bool) {
    let mut lost = (false, false);
    poll_fn(|context| {
        if !lost.0
            && let Poll::Ready(result) = first.as_mut().poll(context)
        {
            lost.0 = is_failure(&result);
            if !lost.0 || lost.1 {
                return Poll::Ready((result, false));
            }
        }
        if !lost.1
            && let Poll::Ready(result) = second.as_mut().poll(context)
        {
            lost.1 = is_failure(&result);
            if !lost.1 || lost.0 {
                return Poll::Ready((result, true));
            }
        }
        Poll::Pending
    })
    .await
}

fn is_failure(result: &Answer) -> bool {
    matches!(
        Disposition::of(result).outcome,
        Outcome::Failed { .. } | Outcome::Transient(_) | Outcome::Throttled
    )
}

impl fmt::Debug for HedgeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeLayer")
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
