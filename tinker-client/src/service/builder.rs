//! Builder of service clients.

use std::fmt;

use tinker_transport::policy::Standard;
use tinker_transport::{
    AnyHttpService, Class, Observers, Transport, TransportBuilder, TransportConfig,
};
use tower::Layer;

use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::retry::{conflict::ConflictsPass, sample::SamplePolicy};
use crate::service::client::ServiceClient;
use crate::session::{source::TransportSource, state::ClientState};

/// Base URL of a leaf in this process.
pub(crate) const LEAF_URL: &str = "http://in-process";

type Configure = Box<dyn FnOnce(TransportConfig) -> TransportConfig + Send>;

/// Builder of a [`ServiceClient`] with custom settings, layers or transport.
///
/// ```
/// use tinker_client::{Config, ServiceClient};
/// use tinker_transport::layer;
///
/// let client = ServiceClient::builder()
///     .config(Config::new("http://localhost:8000"))
///     .attempt_layer(layer::from_fn(|request, next| async move {
///         println!("{} {}", request.method(), request.uri().path());
///         next.run(request).await
///     }))
///     .build()?;
/// # Ok::<(), tinker_client::Error>(())
/// ```
#[must_use = "call build"]
pub struct ServiceClientBuilder {
    config: Config,
    stack: TransportBuilder,
    configure: Vec<Configure>,
    finished: Option<Transport>,
    has_leaf: bool,
    has_layers: bool,
}

impl ServiceClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::default(),
            stack: TransportBuilder::from_config(TransportConfig::new("")),
            configure: Vec::new(),
            finished: None,
            has_leaf: false,
            has_layers: false,
        }
    }

    /// Sets the configuration. The default is the hosted service without a key.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sends requests through a finished transport. Base URL, credential, headers, retry policies, limits, timeouts,
    /// certificates and HTTP observers are those of the transport; make it from [`Config::to_transport`] to keep those of
    /// the configuration, which differ from the defaults of a transport: a server error of a sample is returned at once,
    /// and a 409 is repeated for half a minute only. Limits that the server asks for do not apply.
    ///
    /// For layers, another leaf or other settings of the default stack no finished transport is needed, and for a single
    /// call neither; see [`ServiceClient::send`].
    ///
    /// ```
    /// use tinker_client::{Config, ServiceClient};
    /// use tinker_transport::TransportBuilder;
    ///
    /// let config = Config::new("http://localhost:8000").with_api_key("any");
    /// let transport = TransportBuilder::from_config(config.to_transport()?).build()?;
    /// let service = ServiceClient::builder().config(config).transport(transport).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Excludes [`leaf`](Self::leaf), the layers, and [`Config::breaker`], [`Config::adaptive`] and
    /// [`Config::hedge`].
    pub fn transport(mut self, transport: Transport) -> Self {
        self.finished = Some(transport);
        self
    }

    /// Replaces the network by a service below the default stack: an engine in this process, an axum router, a fake. The
    /// default base URL then counts as unset, and no key is needed.
    pub fn leaf(mut self, service: impl AnyHttpService) -> Self {
        self.stack = self.stack.leaf(service);
        self.has_leaf = true;
        self
    }

    /// Adds a layer outside the whole stack. It sees each call once, without its retries. The one added first is the
    /// outermost.
    pub fn call_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Transport, Service: AnyHttpService> + Send + Sync + 'static,
    {
        self.stack = self.stack.call_layer(layer);
        self.has_layers = true;
        self
    }

    /// Adds a layer inside retry and gate. It sees every attempt. The one added first is the outermost.
    pub fn attempt_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Transport, Service: AnyHttpService> + Send + Sync + 'static,
    {
        self.stack = self.stack.attempt_layer(layer);
        self.has_layers = true;
        self
    }

    /// Changes settings of the default stack that [`Config`] lacks: retry policies, HTTP observers, certificates.
    ///
    /// ```
    /// use tinker_client::ServiceClient;
    /// use tinker_transport::{Class, policy::Standard};
    ///
    /// // Retry samples after server errors as well, which is not the default.
    /// let builder = ServiceClient::builder()
    ///     .configure_transport(|stack| stack.with_policy(Class::Sample, Standard::new()));
    /// ```
    pub fn configure_transport(
        mut self,
        change: impl FnOnce(TransportConfig) -> TransportConfig + Send + 'static,
    ) -> Self {
        self.configure.push(Box::new(change));
        self
    }

    /// Builds the client. Sends nothing.
    ///
    /// # Errors
    /// An unusable configuration: no key for the hosted service, an invalid base URL, a finished transport together with
    /// a setting that it excludes.
    pub fn build(mut self) -> Result<ServiceClient, Error> {
        if self.has_leaf && self.config.is_official() {
            // The address and the key rules of the hosted service do not apply to a leaf.
            LEAF_URL.clone_into(&mut self.config.base_url);
        }
        let mut observers = Observers::new();
        let source = if let Some(transport) = self.finished {
            let excluded = [
                ("a leaf", self.has_leaf),
                ("layers", self.has_layers),
                ("Config::breaker", self.config.breaker.is_some()),
                ("Config::adaptive", self.config.adaptive.is_some()),
                ("Config::hedge", self.config.hedge.is_some()),
            ];
            if let Some((name, _)) = excluded.into_iter().find(|(_, is_set)| *is_set) {
                let what = format!(
                    "a finished transport excludes {name}; add it to the transport, or leave the transport out"
                );
                return Err(ConfigError::new(what).into());
            }
            TransportSource::Finished(transport)
        } else {
            if !self.has_leaf {
                self.config.require_key()?;
            }
            let stack = self.config.to_transport()?;
            let stack = self
                .configure
                .into_iter()
                .fold(stack, |stack, change| change(stack));
            observers = stack.observers.clone();
            let builder = self.stack.configure(|_| stack);
            let raw = builder.clone().build().map_err(|error| {
                ConfigError::new("the transport cannot be built with this configuration (its base URL comes from Config::new or TINKER_BASE_URL)")
                    .because(error)
            })?;
            let builder = Box::new(builder);
            TransportSource::Stack {
                builder,
                raw,
                is_in_process: self.has_leaf,
            }
        };
        let state = ClientState::new(self.config, source, observers);
        Ok(ServiceClient::from_state(state))
    }
}

/// Construction.
impl ServiceClient {
    /// A client with the settings of the environment; see [`Config::from_env`]. Sends nothing.
    ///
    /// ```no_run
    /// let service = tinker_client::ServiceClient::from_env()?;
    /// # Ok::<(), tinker_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// An unusable configuration.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env()?)
    }

    /// A client with these settings. Sends nothing.
    ///
    /// ```
    /// use tinker_client::{Config, ServiceClient};
    ///
    /// let service = ServiceClient::new(Config::new("http://localhost:8000"))?;
    /// assert!(service.session_id().is_none());
    /// # Ok::<(), tinker_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// An unusable configuration: no key for the hosted service, an invalid base URL.
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::builder().config(config).build()
    }

    /// A builder, for custom layers or a custom transport.
    ///
    /// ```
    /// use tinker_client::ServiceClient;
    /// use tinker_local::LocalEngine;
    ///
    /// let engine = LocalEngine::builtin()?;
    /// let service = ServiceClient::builder().leaf(engine.service()).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> ServiceClientBuilder {
        ServiceClientBuilder::new()
    }
}

impl Config {
    /// The settings of the default stack that a client with this configuration uses: base URL, credential, headers,
    /// limits, layers, certificates, and the retry policies of a client. For a
    /// [finished transport](ServiceClientBuilder::transport).
    ///
    /// # Errors
    /// A credential that cannot be used.
    pub fn to_transport(&self) -> Result<TransportConfig, Error> {
        let config = self;
        let mut stack = TransportConfig::new(config.base_url.as_str())
            .with_headers(config.headers.clone())
            .with_policy(Class::Session, ConflictsPass)
            .with_policy(Class::Train, ConflictsPass)
            .with_policy(Class::Rest, ConflictsPass)
            .with_policy(Class::Sample, SamplePolicy(Standard::new()));
        stack.credential = config.credential()?;
        stack.limits = config.limits.clone();
        stack.breaker.clone_from(&config.breaker);
        stack.adaptive.clone_from(&config.adaptive);
        stack.hedge.clone_from(&config.hedge);
        stack.key_header.clone_from(&config.dialect.key_header);
        stack.proxy.clone_from(&config.proxy);
        stack
            .root_certificates
            .extend_from_slice(&config.root_certificates);
        stack
            .client_certificate
            .clone_from(&config.client_certificate);
        Ok(stack)
    }
}

impl fmt::Debug for ServiceClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClientBuilder")
            .field("config", &self.config)
            .field("stack", &self.stack)
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
