//! The default stack: which layer stands where.

use std::sync::Arc;

use http::HeaderValue;

use crate::base_url::BaseUrl;
use crate::config::TransportConfig;
use crate::error::{Kind, Stage, TransportError};
use crate::gate::Gate;
use crate::layer::{
    AdmissionLayer, AuthLayer, BaseLayer, CompressLayer, DecompressLayer, GateLayer, HeaderLayer,
    ObserveLayer, RedirectLayer, RetryLayer, TimeoutLayer, TraceLayer, Wrapped,
};
use crate::service::Inner;
use crate::transport::Transport;

/// What a user's layers do to the part of the stack inside them.
pub(crate) type Slot = Vec<Arc<dyn Fn(Transport) -> Transport + Send + Sync>>;

/// All layers of the default stack, ready to stand over a leaf.
pub(crate) struct Stack {
    call_slot: Slot,
    observe_calls: Option<ObserveLayer>,
    admission: AdmissionLayer,
    retry: RetryLayer,
    gate: GateLayer,
    observe_attempts: Option<ObserveLayer>,
    attempt_slot: Slot,
    base: BaseLayer,
    auth: Option<AuthLayer>,
    header: HeaderLayer,
    timeout: TimeoutLayer,
}

impl Stack {
    /// The layers these settings ask for.
    pub(crate) fn new(
        config: TransportConfig,
        base: BaseUrl,
        gate: Gate,
        call_slot: Slot,
        attempt_slot: Slot,
    ) -> Result<Self, TransportError> {
        let user_agent = HeaderValue::from_str(&config.user_agent).map_err(|error| {
            let what = "the user agent cannot stand in a header";
            TransportError::new(Kind::Config, Stage::NotBuilt, what).with_source(error)
        })?;
        let observers: Option<Arc<[_]>> =
            (!config.observers.is_empty()).then(|| config.observers.into());
        Ok(Self {
            call_slot,
            observe_calls: observers.clone().map(ObserveLayer::calls),
            admission: AdmissionLayer::new(&config.limits).with_gate(gate.clone()),
            retry: RetryLayer::with_policies(config.policies),
            gate: GateLayer::new(gate),
            observe_attempts: observers.map(ObserveLayer::attempts),
            attempt_slot,
            base: BaseLayer::new(base),
            auth: config.credential.map(AuthLayer::new),
            header: HeaderLayer::new(user_agent, config.headers),
            timeout: TimeoutLayer::new(config.limits),
        })
    }

    /// The whole over `leaf`, from the inside out. Without layers of a user it is one future per
    /// call; each slot in use adds the boxes of a [`Transport`].
    pub(crate) fn over(self, leaf: impl Inner) -> Transport {
        let inner = Wrapped::new(RedirectLayer::new(), leaf);
        let inner = Wrapped::new(DecompressLayer::new(), inner);
        let inner = Wrapped::new(CompressLayer::new(), inner);
        let inner = Wrapped::new(self.timeout, inner);
        let inner = Wrapped::new(self.header, inner);
        let inner = Wrapped::new(self.auth, inner);
        let inner = Wrapped::new(self.base, inner);
        let outer = Outer {
            call_slot: self.call_slot,
            observe_calls: self.observe_calls,
            admission: self.admission,
            retry: self.retry,
            gate: self.gate,
            observe_attempts: self.observe_attempts,
        };
        if self.attempt_slot.is_empty() {
            outer.over(inner)
        } else {
            outer.over(wrap(Transport::of(inner), &self.attempt_slot))
        }
    }
}

/// The layers outside the slot for attempts.
struct Outer {
    call_slot: Slot,
    observe_calls: Option<ObserveLayer>,
    admission: AdmissionLayer,
    retry: RetryLayer,
    gate: GateLayer,
    observe_attempts: Option<ObserveLayer>,
}

impl Outer {
    fn over(self, inner: impl Inner) -> Transport {
        let inner = Wrapped::new(TraceLayer::attempts(), inner);
        let inner = Wrapped::new(self.observe_attempts, inner);
        let inner = Wrapped::new(self.gate, inner);
        let inner = Wrapped::new(self.retry, inner);
        let inner = Wrapped::new(self.admission, inner);
        let inner = Wrapped::new(TraceLayer::calls(), inner);
        let inner = Wrapped::new(self.observe_calls, inner);
        wrap(Transport::of(inner), &self.call_slot)
    }
}

/// Wraps the layers of a slot round `stack`, the first of them outermost.
fn wrap(stack: Transport, slot: &Slot) -> Transport {
    slot.iter().rev().fold(stack, |inner, layer| layer(inner))
}
