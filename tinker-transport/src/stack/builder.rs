//! Builder of the default stack.

use std::fmt;
use std::sync::Arc;

use tower::Layer;

use crate::error::TransportError;
#[cfg(not(feature = "network"))]
use crate::error::{Kind, Stage};
use crate::flow::gate::Gate;
use crate::request::base_url::BaseUrl;
use crate::service::{AnyHttpService, Foreign, Inner};
use crate::stack::config::TransportConfig;
use crate::stack::layers::{Slot, Stack, erased};
use crate::stack::transport::Transport;

/// Builds the default stack, with two slots for user layers and any leaf.
///
/// In each slot the layer added first is the outermost. Transports built from clones share the parts given to the
/// builder (layers with their state, leaf, gate), but not permits, budgets and connections.
///
/// ```
/// use tinker_transport::{Body, Call, Class, Replay, TransportBuilder, TransportConfig, layer};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::sync::atomic::{AtomicU32, Ordering};
/// # static ASKED: AtomicU32 = AtomicU32::new(0);
/// # let engine = tower::service_fn(|_: http::Request<Body>| async {
/// #     let status = if ASKED.fetch_add(1, Ordering::SeqCst) < 2 { 503 } else { 200 };
/// #     http::Response::builder().status(status).body(Body::empty())
/// # });
/// let transport = TransportBuilder::from_config(TransportConfig::new("http://engine"))
///     .call_layer(layer::from_fn(|request, next| async move {
///         println!("sees this call once");
///         next.run(request).await
///     }))
///     .attempt_layer(layer::from_fn(|request, next| async move {
///         println!("sees every try of it");
///         next.run(request).await
///     }))
///     .leaf(engine) // any Service; leave it out for the network
///     .build()?;
///
/// let call = Call::new("optim_step", Class::Train).with_replay(Replay::Safe);
/// let request = http::Request::post("/api/v1/optim_step").extension(call).body(Body::from("{}"))?;
/// assert!(transport.call(request).await?.status().is_success());
/// # assert_eq!(ASKED.load(Ordering::SeqCst), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TransportBuilder {
    config: TransportConfig,
    call_slot: Slot,
    attempt_slot: Slot,
    leaf: Option<Arc<dyn Leaf>>,
    gate: Option<Gate>,
}

/// A leaf of any type, over which the stack is built.
trait Leaf: Send + Sync {
    fn under(&self, stack: Stack) -> Transport;
}

impl<I: Inner + Clone> Leaf for I {
    fn under(&self, stack: Stack) -> Transport {
        stack.over(self.clone())
    }
}

impl TransportBuilder {
    /// A builder for these settings.
    pub fn from_config(config: TransportConfig) -> Self {
        Self {
            config,
            call_slot: Slot::new(),
            attempt_slot: Slot::new(),
            leaf: None,
            gate: None,
        }
    }

    /// Adds a layer outside of all others: it sees each call once, and how it ends.
    #[must_use]
    pub fn call_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Transport, Service: AnyHttpService> + Send + Sync + 'static,
    {
        self.call_slot.push(erased(layer));
        self
    }

    /// Adds a layer inside retry and gate: it sees every try before the credential and the base URL are added, and each
    /// response before any other layer evaluates it.
    #[must_use]
    pub fn attempt_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Transport, Service: AnyHttpService> + Send + Sync + 'static,
    {
        self.attempt_slot.push(erased(layer));
        self
    }

    /// Uses this service instead of the network: an engine in this process, an axum router, a recording. The rest of
    /// the stack is unchanged.
    #[must_use]
    pub fn leaf(mut self, service: impl AnyHttpService) -> Self {
        self.leaf = Some(Arc::new(Foreign(service)));
        self
    }

    tinker_types::setters! {
        /// Sets the gate. By default, stacks over the network share one for each base URL and key, and others have
        /// their own.
        gate(gate: Gate) => gate = Some(gate);
    }

    /// Changes the settings, for example for a second stack with the same layers and leaf.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(TransportConfig) -> TransportConfig) -> Self {
        self.config = change(self.config);
        self
    }

    /// Builds the stack.
    ///
    /// # Errors
    /// [`Kind::Config`](crate::Kind::Config) if the base URL, the user agent or the certificates are invalid, or the
    /// leaf is missing.
    pub fn build(self) -> Result<Transport, TransportError> {
        let base: BaseUrl = self.config.base_url.parse()?;
        let gate = self
            .gate
            .clone()
            .unwrap_or_else(|| self.default_gate(&base));
        let leaf = match self.leaf {
            Some(leaf) => leaf,
            None => network(&self.config)?,
        };
        let stack = Stack::new(self.config, base, gate, self.call_slot, &self.attempt_slot)?;
        Ok(leaf.under(stack))
    }

    fn default_gate(&self, base: &BaseUrl) -> Gate {
        let fingerprint = self
            .config
            .credential
            .as_ref()
            .and_then(|credential| credential.fingerprint());
        match fingerprint {
            Some(fingerprint) if self.leaf.is_none() => Gate::shared(base.as_str(), fingerprint),
            _ => Gate::new(),
        }
    }
}

#[cfg(feature = "network")]
fn network(config: &TransportConfig) -> Result<Arc<dyn Leaf>, TransportError> {
    let network = crate::leaf::Network::from_config(config)?;
    Ok(Arc::new(network))
}

#[cfg(not(feature = "network"))]
fn network(_: &TransportConfig) -> Result<Arc<dyn Leaf>, TransportError> {
    let what = "the transport has no leaf; enable the feature `network`, or set one with `TransportBuilder::leaf`";
    Err(TransportError::new(Kind::Config, Stage::NotBuilt, what))
}

impl Transport {
    /// The default stack over the network. Connects on first use.
    ///
    /// # Errors
    /// See [`TransportBuilder::build`].
    pub fn from_config(config: TransportConfig) -> Result<Self, TransportError> {
        TransportBuilder::from_config(config).build()
    }
}

impl fmt::Debug for TransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportBuilder")
            .field("config", &self.config)
            .field("call_layers", &self.call_slot.len())
            .field("attempt_layers", &self.attempt_slot.len())
            .field("has_leaf", &self.leaf.is_some())
            .finish_non_exhaustive()
    }
}
