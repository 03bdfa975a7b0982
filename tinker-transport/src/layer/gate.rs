//! Holds requests while the gate is closed, and closes it.

use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt};

use crate::attempt::Attempt;
use crate::body::Body;
use crate::call::{Billing, Call};
use crate::class::Class;
use crate::disposition::Held;
use crate::error::TransportError;
use crate::gate::Gate;
use crate::service::{HttpService, ResponseFuture};

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

/// Service made by [`GateLayer`].
#[derive(Debug, Clone)]
pub struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl<S> Layer<S> for GateLayer {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            inner,
            gate: self.gate.clone(),
        }
    }
}

impl<S: HttpService> Service<Request<Body>> for Gated<S> {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let inner = self.inner.clone();
        let gate = self.gate.clone();
        Box::pin(async move {
            let call = Call::of(&request);
            let weight = call.weight_of(&request);
            let waited = call.before_deadline(gate.opened(&call)).await?;
            if let Some(attempt) = request.extensions().get::<Attempt>() {
                attempt.add_wait(waited);
            }
            let mut response = inner.oneshot(request).await?;
            let is_held = match response.status() {
                StatusCode::TOO_MANY_REQUESTS if call.class == Class::Sample => {
                    gate.throttle(weight);
                    true
                }
                StatusCode::PAYMENT_REQUIRED if call.billing == Billing::Pause => gate.pause(),
                _ => false,
            };
            if is_held {
                response.extensions_mut().insert(Held);
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests;
