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

    fn report(&self, call: &Call, change: GateChange) {
        self.observers.emit(|| Event::Gate {
            operation: call.operation,
            class: call.class,
            change,
        });
    }

    /// Waits until the gate is open. Returns how long that took.
    async fn pass(&self, call: &Call) -> Result<Duration, TransportError> {
        if !self.gate.is_closed(call) {
            return Ok(Duration::ZERO);
        }
        self.report(call, GateChange::Holding);
        let waited = call.before_deadline(self.gate.opened(call)).await?;
        self.report(call, GateChange::Passed(waited));
        Ok(waited)
    }

    /// Closes the gate if the response requires it. True: the request will be sent again.
    fn learn(&self, call: &Call, weight: u64, status: StatusCode) -> bool {
        let change = match status {
            StatusCode::TOO_MANY_REQUESTS if call.class == Class::Sample => {
                GateChange::Throttled(self.gate.throttle(weight))
            }
            StatusCode::PAYMENT_REQUIRED if call.billing == Billing::Pause => {
                match self.gate.pause(self.pause_limit) {
                    Some(step) => GateChange::Paused(step),
                    None => return false,
                }
            }
            _ => return false,
        };
        self.report(call, change);
        true
    }
}

tower_layer!(GateLayer makes Gated);

impl Around for GateLayer {
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        let call = Call::of(request);
        let weight = call.weight_of(request);
        let waited = self.pass(&call).await?;
        let mut result = inner.run(request).await;
        match &mut result {
            Ok(response) => {
                if !waited.is_zero() {
                    response.extensions_mut().insert(Waited(waited));
                }
                if self.learn(&call, weight, response.status()) {
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
