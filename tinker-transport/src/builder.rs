//! Puts the default stack together.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use tower::{Layer, Service};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::config::TransportConfig;
use crate::error::{BoxError, Kind, Stage, TransportError};
use crate::gate::Gate;
use crate::layer::{
    AdmissionLayer, AuthLayer, BaseLayer, CompressLayer, DecompressLayer, GateLayer, HeaderLayer,
    ObserveLayer, RedirectLayer, RetryLayer, TimeoutLayer, TraceLayer,
};
use crate::transport::Transport;

/// The default stack, with two slots for your layers and a leaf of your choice.
///
/// In each slot the layer added first is the outermost. Clones built apart share what was given to
/// the builder (layers with their state, leaf, gate), but not permits, budgets and connections.
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
    call_layers: Vec<ErasedLayer>,
    attempt_layers: Vec<ErasedLayer>,
    leaf: Option<Transport>,
    gate: Option<Gate>,
}

/// A layer of any type, as what it does to a transport.
#[derive(Clone)]
struct ErasedLayer(Arc<dyn Fn(Transport) -> Transport + Send + Sync>);

impl ErasedLayer {
    fn new<L, B>(layer: L) -> Self
    where
        L: Layer<Transport> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Arc::new(move |inner| inner.layer(&layer)))
    }
}

impl TransportBuilder {
    /// A builder for these settings.
    pub fn from_config(config: TransportConfig) -> Self {
        Self {
            config,
            call_layers: Vec::new(),
            attempt_layers: Vec::new(),
            leaf: None,
            gate: None,
        }
    }

    /// Adds a layer outside of everything: it sees each call once, and how it ends.
    #[must_use]
    pub fn call_layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<Transport> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.call_layers.push(ErasedLayer::new(layer));
        self
    }

    /// Adds a layer inside retry and gate: it sees every try, before the credential is attached
    /// and the base URL put on, and each answer before anyone judges it.
    #[must_use]
    pub fn attempt_layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<Transport> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.attempt_layers.push(ErasedLayer::new(layer));
        self
    }

    /// Answers requests with this service instead of the network: an engine in this process, an
    /// axum router, a recording. Everything else of the stack stays.
    #[must_use]
    pub fn leaf<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.leaf = Some(Transport::new(service));
        self
    }

    /// Waits at this gate. By default stacks over the network share one for each base URL and
    /// key, and others have their own.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Changes the settings, for a second stack with the same layers and leaf.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(TransportConfig) -> TransportConfig) -> Self {
        self.config = change(self.config);
        self
    }

    /// Puts the stack together.
    ///
    /// # Errors
    /// [`Kind::Config`] when the base URL, the user agent or the certificates cannot be used, or
    /// when there is no leaf.
    pub fn build(self) -> Result<Transport, TransportError> {
        let base: BaseUrl = self.config.base_url.parse()?;
        let user_agent = HeaderValue::from_str(&self.config.user_agent).map_err(|error| {
            TransportError::new(
                Kind::Config,
                Stage::NotBuilt,
                "the user agent cannot stand in a header",
            )
            .with_source(error)
        })?;
        let gate = self
            .gate
            .clone()
            .unwrap_or_else(|| self.default_gate(&base));
        let leaf = match self.leaf {
            Some(leaf) => leaf,
            None => network(&self.config)?,
        };
        let TransportConfig {
            credential,
            headers,
            limits,
            policies,
            observers,
            ..
        } = self.config;
        let observers: Arc<[_]> = observers.into();
        let admission = AdmissionLayer::new(&limits).with_gate(gate.clone());

        // From the inside out.
        let stack = RedirectLayer::new().layer(leaf);
        let stack = DecompressLayer::new().layer(stack);
        let stack = CompressLayer::new().layer(stack);
        let stack = TimeoutLayer::new(limits).layer(stack);
        let stack = HeaderLayer::new(user_agent, headers).layer(stack);
        let stack = match credential {
            Some(credential) => {
                Transport::new(BaseLayer::new(base).layer(AuthLayer::new(credential).layer(stack)))
            }
            None => Transport::new(BaseLayer::new(base).layer(stack)),
        };
        let stack = wrap(stack, &self.attempt_layers);
        let stack = stack.layer(TraceLayer::attempts());
        let stack = if observers.is_empty() {
            stack
        } else {
            stack.layer(ObserveLayer::attempts(Arc::clone(&observers)))
        };
        let stack = GateLayer::new(gate).layer(stack);
        let stack = RetryLayer::with_policies(policies).layer(stack);
        let stack = admission.layer(stack);
        let stack = Transport::new(TraceLayer::calls().layer(stack));
        let stack = if observers.is_empty() {
            stack
        } else {
            stack.layer(ObserveLayer::calls(observers))
        };
        Ok(wrap(stack, &self.call_layers))
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

/// Wraps `layers` round `stack`, the first of them outermost.
fn wrap(stack: Transport, layers: &[ErasedLayer]) -> Transport {
    layers
        .iter()
        .rev()
        .fold(stack, |inner, layer| (layer.0)(inner))
}

#[cfg(feature = "reqwest")]
fn network(config: &TransportConfig) -> Result<Transport, TransportError> {
    crate::leaf::Network::from_config(config).map(Transport::new)
}

#[cfg(not(feature = "reqwest"))]
fn network(_: &TransportConfig) -> Result<Transport, TransportError> {
    let what =
        "there is no leaf: switch on the feature `reqwest`, or give the builder one with `leaf`";
    Err(TransportError::new(Kind::Config, Stage::NotBuilt, what))
}

impl Transport {
    /// The default stack over the network. Connects when it is used.
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
            .field("call_layers", &self.call_layers.len())
            .field("attempt_layers", &self.attempt_layers.len())
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}
