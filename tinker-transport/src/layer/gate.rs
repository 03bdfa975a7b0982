//! Gate layer.

use std::time::Duration;

use http::{Request, StatusCode};

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::error::TransportError;
use crate::flow::class::Class;
use crate::flow::gate::{Gate, PAUSE_LIMIT};
use crate::observe::event::{Event, GateChange};
use crate::observe::observer::Observers;
use crate::policy::{Held, Waited};
use crate::request::call::{Billing, Call};
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Waits at a shared [`Gate`] before each try, and reports 429 and 402 to it.
///
/// A response that closed the gate is marked, so that [`RetryLayer`](super::RetryLayer) sends the request again without
/// counting an attempt: the next try waits here. Time spent waiting does not count against the call. Without a retry
/// layer the caller receives the 429 or 402.
///
/// # Order
/// Inside retry, outside of everything whose time should not include the wait. Wrong: outside retry, where each call
/// passes once and its tries are not held. Wrong: inside a timeout, which would treat a requested wait as a slow
/// response.
#[derive(Debug, Clone)]
pub struct GateLayer {
    gate: Gate,
    pause_limit: Duration,
    observers: Observers,
}

impl GateLayer {
    /// Waits at `gate`.
    pub fn new(gate: Gate) -> Self {
        Self {
            gate,
            pause_limit: PAUSE_LIMIT,
            observers: Observers::new(),
        }
    }

    tinker_types::setters! {
        /// Sets the longest total pause after responses of 402; an hour by default. The first one after that is returned to
        /// the caller.
        with_pause_limit(limit: Duration) => pause_limit = limit;

        /// Reports changes of the gate to these observers.
        with_observers(observers: Observers) => observers = observers;
    }

    fn report(&self, visit: &Visit, change: GateChange) {
        self.observers.emit(|| Event::Gate {
            operation: visit.operation,
            class: visit.class,
            change,
        });
    }

    /// Waits until the gate is open. Returns how long that took.
    async fn pass(
        &self,
        request: &Request<Body>,
        visit: &Visit,
    ) -> Result<Duration, TransportError> {
        let call = Call::find(request);
        if !self.gate.is_closed(&call) {
            return Ok(Duration::ZERO);
        }
        self.report(visit, GateChange::Holding);
        let waited = call.before_deadline(self.gate.opened(&call)).await?;
        self.report(visit, GateChange::Passed(waited));
        Ok(waited)
    }

    /// Closes the gate if the response requires it. True: the request will be sent again.
    fn learn(&self, visit: &Visit, status: StatusCode) -> bool {
        let change = match status {
            StatusCode::TOO_MANY_REQUESTS if visit.class == Class::Sample => {
                GateChange::Throttled(self.gate.throttle(visit.weight))
            }
            StatusCode::PAYMENT_REQUIRED if visit.billing == Billing::Pause => {
                match self.gate.pause(self.pause_limit) {
                    Some(step) => GateChange::Paused(step),
                    None => return false,
                }
            }
            _ => return false,
        };
        self.report(visit, change);
        true
    }
}

/// Properties of a request that are needed when its response is known.
struct Visit {
    operation: &'static str,
    class: Class,
    billing: Billing,
    weight: u64,
}

impl Visit {
    fn of(request: &Request<Body>) -> Self {
        let call = Call::find(request);
        Self {
            operation: call.operation,
            class: call.class,
            billing: call.billing,
            weight: call.weight_of(request),
        }
    }
}

tower_layer!(GateLayer makes Gated);

impl Around for GateLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let visit = Visit::of(request);
        let waited = self.pass(request, &visit).await?;
        let mut result = inner.run(request).await;
        match &mut result {
            Ok(response) => {
                if !waited.is_zero() {
                    response.extensions_mut().insert(Waited(waited));
                }
                if self.learn(&visit, response.status()) {
                    response.extensions_mut().insert(Held);
                }
            }
            Err(error) => error.set_waited(waited),
        }
        result
    }
}

#[cfg(test)]
mod tests;
