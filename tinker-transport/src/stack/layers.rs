//! Layers of the default stack, in order.

use std::sync::Arc;

use http::HeaderValue;
use tower::Layer;

use crate::error::{Kind, Stage, TransportError};
use crate::flow::gate::Gate;
use crate::layer::{
    AdmissionLayer, AuthLayer, BaseLayer, CollectLayer, CompressLayer, DecompressLayer, GateLayer,
    HeaderLayer, ObserveLayer, RedirectLayer, RetryLayer, TimeoutLayer, TraceLayer, Wrapped,
};
use crate::request::base_url::BaseUrl;
use crate::service::{AnyHttpService, Inner};
use crate::stack::config::TransportConfig;
use crate::stack::transport::Transport;

/// Effect of user layers on the part of the stack inside them.
pub(crate) type Slot = Vec<Arc<dyn Fn(Transport) -> Transport + Send + Sync>>;

/// A layer of any type as a function on transports.
pub(crate) fn erased<L>(layer: L) -> Arc<dyn Fn(Transport) -> Transport + Send + Sync>
where
    L: Layer<Transport, Service: AnyHttpService> + Send + Sync + 'static,
{
    Arc::new(move |inner| inner.layer(&layer))
}

/// All layers of the default stack, without the leaf.
pub(crate) struct Stack {
    outer: Outer,
    attempt_slot: Slot,
    base: BaseLayer,
    auth: Option<AuthLayer>,
    header: HeaderLayer,
    timeout: TimeoutLayer,
}

impl Stack {
    /// The layers for these settings.
    pub(crate) fn new(
        config: TransportConfig,
        base: BaseUrl,
        gate: Gate,
        call_slot: Slot,
        attempt_slot: &Slot,
    ) -> Result<Self, TransportError> {
        let user_agent = HeaderValue::from_str(&config.user_agent).map_err(|error| {
            let what = "the user agent is not a valid header value";
            TransportError::new(Kind::Config, Stage::NotBuilt, what).with_source(error)
        })?;
        let observers = config.observers;
        // Optional layers stand in the attempt slot, outside of the user's layers. Hedges count as requests for the
        // other two, and a refusal should not wait for a permit first.
        let mut slot = Slot::new();
        if let Some(layer) = config.hedge {
            slot.push(erased(layer.with_observers(observers.clone())));
        }
        if let Some(layer) = config.breaker {
            slot.push(erased(layer.with_observers(observers.clone())));
        }
        if let Some(layer) = config.adaptive {
            slot.push(erased(layer.with_observers(observers.clone())));
        }
        slot.extend_from_slice(attempt_slot);
        let outer = Outer {
            call_slot,
            observe_calls: ObserveLayer::calls(observers.clone()),
            trace_calls: TraceLayer::calls().with_server(&base),
            admission: AdmissionLayer::new(&config.limits)
                .with_gate(gate.clone())
                .with_observers(observers.clone()),
            retry: RetryLayer::with_policies(config.policies)
                .with_limits(&config.limits)
                .with_observers(observers.clone()),
            gate: GateLayer::new(gate)
                .with_pause_limit(config.pause_limit)
                .with_observers(observers.clone()),
            observe_attempts: ObserveLayer::attempts(observers),
        };
        Ok(Self {
            outer,
            attempt_slot: slot,
            base: BaseLayer::new(base),
            auth: config
                .credential
                .map(|credential| AuthLayer::new(credential).with_header(config.key_header)),
            header: HeaderLayer::new(user_agent, config.headers),
            timeout: TimeoutLayer::new(config.limits),
        })
    }

    /// Puts the stack over `leaf`, from the inside out. Without user layers it is one future per call; each slot in use
    /// adds the boxes of a [`Transport`].
    pub(crate) fn over(self, leaf: impl Inner) -> Transport {
        let inner = Wrapped::new(DecompressLayer::new(), leaf);
        let inner = Wrapped::new(CompressLayer::new(), inner);
        let inner = Wrapped::new(self.timeout, inner);
        let inner = Wrapped::new(self.header, inner);
        let inner = Wrapped::new(self.auth, inner);
        let inner = Wrapped::new(RedirectLayer::new(), inner);
        let inner = Wrapped::new(self.base, inner);
        if self.attempt_slot.is_empty() {
            self.outer.over(inner)
        } else {
            self.outer
                .over(wrap(Transport::of(inner), &self.attempt_slot))
        }
    }
}

/// The layers outside of the attempt slot.
struct Outer {
    call_slot: Slot,
    observe_calls: ObserveLayer,
    trace_calls: TraceLayer,
    admission: AdmissionLayer,
    retry: RetryLayer,
    gate: GateLayer,
    observe_attempts: ObserveLayer,
}

impl Outer {
    fn over(self, inner: impl Inner) -> Transport {
        let inner = Wrapped::new(TraceLayer::attempts(), inner);
        let inner = Wrapped::new(self.observe_attempts, inner);
        let inner = Wrapped::new(self.gate, inner);
        let inner = Wrapped::new(CollectLayer::new(), inner);
        let inner = Wrapped::new(self.retry, inner);
        let inner = Wrapped::new(self.admission, inner);
        let inner = Wrapped::new(self.trace_calls, inner);
        let inner = Wrapped::new(self.observe_calls, inner);
        wrap(Transport::of(inner), &self.call_slot)
    }
}

/// Wraps the layers of a slot around `stack`, the first of them outermost.
fn wrap(stack: Transport, slot: &Slot) -> Transport {
    slot.iter().rev().fold(stack, |inner, layer| layer(inner))
}
