//! Holds requests while the gate is closed, and closes it.

use http::{Request, StatusCode};

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::call::{Billing, Call};
use crate::class::Class;
use crate::disposition::Held;
use crate::effort::Waited;
use crate::gate::Gate;
use crate::service::{Answer, Inner};

/// Waits at a shared [`Gate`] before each try, and reports 429 and 402 to it.
///
/// An answer that closed the gate is marked, so that [`RetryLayer`](super::RetryLayer) sends the
/// request again without counting an attempt: the next try waits here. Time spent waiting is not
/// held against the call either. Without a retry layer the caller gets the 429 or 402.
///
/// # Order
/// Just inside retry, outside everything that should not be charged with the wait.
/// Wrong: outside retry, where each call would pass once and its tries would not be held. Wrong:
/// inside a timeout, which would take a wait the server asked for as a slow answer.
#[derive(Debug, Clone)]
pub struct GateLayer {
    gate: Gate,
}

impl GateLayer {
    /// Waits at `gate`.
    pub fn new(gate: Gate) -> Self {
        Self { gate }
    }
}

tower_layer!(GateLayer makes Gated);

impl Around for GateLayer {
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        let call = Call::of(request);
        let weight = call.weight_of(request);
        let waited = call.before_deadline(self.gate.opened(&call)).await?;
        let mut result = inner.run(request).await;
        match &mut result {
            Ok(response) => {
                if !waited.is_zero() {
                    response.extensions_mut().insert(Waited(waited));
                }
                let is_held = match response.status() {
                    StatusCode::TOO_MANY_REQUESTS if call.class == Class::Sample => {
                        self.gate.throttle(weight);
                        true
                    }
                    StatusCode::PAYMENT_REQUIRED if call.billing == Billing::Pause => {
                        self.gate.pause()
                    }
                    _ => false,
                };
                if is_held {
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
