//! Puts a service client together.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tinker_transport::policy::{Effort, Policy, Standard, Verdict};
use tinker_transport::{
    Body, BoxError, Class, Disposition, Observers, Outcome, Transport, TransportBuilder,
    TransportConfig,
};
use tower::{Layer, Service};

use crate::config::Config;
use crate::core::Core;
use crate::error::{ConfigError, Error};
use crate::link::Source;
use crate::service::ServiceClient;

/// Stands in for an address where a service in this process answers.
const LEAF_URL: &str = "http://in-process";

type Configure = Box<dyn FnOnce(TransportConfig) -> TransportConfig + Send>;

/// Puts a [`ServiceClient`] together: settings, a transport or layers of your own.
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

    /// Sets the settings. The default is the hosted service without a key.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sends requests through a finished transport, as it is: base URL, credential, retries and
    /// limits are its own business, and so are observers of its requests. Excludes [`leaf`](Self::leaf) and the layers.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.finished = Some(transport);
        self
    }

    /// Answers requests with this service instead of the network, under the full default stack: an
    /// engine in this process, an axum router, a fake. The address of the hosted service, which is
    /// the default, then counts as not set, and no key is needed.
    pub fn leaf<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.stack = self.stack.leaf(service);
        self.has_leaf = true;
        self
    }

    /// Adds a layer outside of everything: it sees each call once, retries hidden.
    pub fn call_layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<Transport> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.stack = self.stack.call_layer(layer);
        self.has_layers = true;
        self
    }

    /// Adds a layer inside retry and gate: it sees every try.
    pub fn attempt_layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<Transport> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.stack = self.stack.attempt_layer(layer);
        self.has_layers = true;
        self
    }

    /// Changes settings of the default stack that [`Config`] does not have: retry policies,
    /// observers, certificates.
    ///
    /// ```
    /// use tinker_client::ServiceClient;
    /// use tinker_transport::{Class, policy::Standard};
    ///
    /// // Samples are repeated after server errors too, which by default they are not.
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

    /// Puts the client together. Nothing is sent until it is used.
    ///
    /// # Errors
    /// A configuration that cannot be used: no key for the hosted service, a bad base URL, a
    /// finished transport together with layers.
    pub fn build(mut self) -> Result<ServiceClient, Error> {
        if self.has_leaf && self.config.is_official() {
            // The hosted service's address and its rules for keys mean nothing to a leaf.
            LEAF_URL.clone_into(&mut self.config.base_url);
        }
        let mut observers = Observers::new();
        let source = match self.finished {
            Some(_) if self.has_leaf || self.has_layers => {
                let what = "a finished transport excludes a leaf and layers; put them into the transport, or leave it out";
                return Err(ConfigError::new(what).into());
            }
            Some(transport) => Source::Finished(transport),
            None => {
                if !self.has_leaf {
                    self.config.require_key()?;
                }
                let stack = stack_config(&self.config)?;
                let stack = self
                    .configure
                    .into_iter()
                    .fold(stack, |stack, change| change(stack));
                observers = stack.observers.clone();
                let builder = self.stack.configure(|_| stack);
                let raw = builder.clone().build().map_err(|error| {
                    ConfigError::new("no transport can be built with this configuration")
                        .because(error)
                })?;
                let builder = Box::new(builder);
                Source::Stack { builder, raw }
            }
        };
        let core = Core::new(self.config, source, observers);
        Ok(ServiceClient::from_core(core))
    }
}

/// Where a client comes from.
impl ServiceClient {
    /// A client with the settings of the environment, see [`Config::from_env`]. Sends nothing yet.
    ///
    /// ```no_run
    /// let service = tinker_client::ServiceClient::from_env()?;
    /// # Ok::<(), tinker_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env()?)
    }

    /// A client with these settings. Sends nothing yet.
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
    /// A configuration that cannot be used: no key for the hosted service, a bad base URL.
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::builder().config(config).build()
    }

    /// A builder, for a transport or layers of your own.
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

fn stack_config(config: &Config) -> Result<TransportConfig, Error> {
    let mut stack = TransportConfig::new(config.base_url.as_str())
        .with_headers(config.headers.clone())
        .with_policy(Class::Session, ConflictsPass)
        .with_policy(Class::Train, ConflictsPass)
        .with_policy(Class::Rest, ConflictsPass)
        .with_policy(Class::Sample, SamplePolicy(Standard::new()));
    stack.credential = config.credential()?;
    stack.limits = config.limits.clone();
    Ok(stack)
}

/// The usual policy, but for a 409 that does not pass within half a minute: that one is about the
/// request, a name that is taken for example, and minutes of repeats would only hide it.
#[derive(Debug)]
struct ConflictsPass;

const CONFLICT_LIMIT: Duration = Duration::from_secs(30);

impl Policy for ConflictsPass {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        let is_conflict = disposition.outcome == Outcome::Transient(StatusCode::CONFLICT);
        if is_conflict {
            return Standard::new()
                .with_time_limit(CONFLICT_LIMIT)
                .verdict(effort, disposition);
        }
        Standard::new().verdict(effort, disposition)
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        Standard::new().remaining_time(effort)
    }
}

/// Samples: lost connections and throttling are waited out, server errors surface at once. A caller
/// with thousands of samples under way decides better than we do whether one of them matters.
#[derive(Debug)]
struct SamplePolicy(Standard);

impl Policy for SamplePolicy {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        let is_server_error = matches!(disposition.outcome, Outcome::Transient(_));
        if is_server_error && disposition.should_retry != Some(true) {
            return Verdict::Stop;
        }
        self.0.verdict(effort, disposition)
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        self.0.remaining_time(effort)
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
