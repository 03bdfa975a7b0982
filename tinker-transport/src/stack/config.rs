//! Settings of a transport.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use tinker_types::wire::header;

use crate::credential::Credential;
use crate::flow::class::{Class, PerClass};
use crate::flow::gate::PAUSE_LIMIT;
use crate::flow::limits::ClassLimits;
use crate::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer};
use crate::observe::observer::{Observer, Observers};
use crate::policy::Policy;
use crate::stack::identity::ClientCertificate;
use crate::stack::proxy::Proxy;

/// Settings of the default stack. Plain data: nothing here reads the environment.
///
/// ```
/// use tinker_transport::{ApiKey, TransportConfig};
///
/// let config = TransportConfig::new("https://tinker.example.com")
///     .with_credential(ApiKey::new("tml-..."));
/// assert!(!format!("{config:?}").contains("tml-"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Address of the server, with an optional path prefix. Checked when the transport is built.
    pub base_url: String,
    /// Source of the key. `None`: none is sent.
    pub credential: Option<Arc<dyn Credential>>,
    /// Header of the key. Default: `X-API-Key`. In `Authorization`, and in any header whose name ends with
    /// `-authorization`, the key follows the word `Bearer`.
    pub key_header: HeaderName,
    /// `User-Agent`; by default name, version and platform of this crate.
    pub user_agent: String,
    /// Headers for every request to the server. Headers of the request itself take precedence. Values are treated as
    /// secrets.
    pub headers: HeaderMap,
    /// Limits and timeouts of each class.
    pub limits: PerClass<ClassLimits>,
    /// Retry policy of each class, for calls that do not bring their own. By default
    /// [`Standard`](crate::policy::Standard), and [`Never`](crate::policy::Never) for [`Class::Retrieve`] and
    /// [`Class::Telemetry`].
    pub policies: PerClass<Arc<dyn Policy>>,
    /// Longest total pause after responses of 402, which pause work. Default: an hour.
    pub pause_limit: Duration,
    /// Circuit breaker, which refuses requests while the server keeps failing. `None`: no circuit breaker.
    pub breaker: Option<BreakerLayer>,
    /// Adaptive concurrency limit. `None`: only the fixed limits apply.
    pub adaptive: Option<AdaptiveLayer>,
    /// Hedging of slow reads. `None`: no hedging.
    pub hedge: Option<HedgeLayer>,
    /// Observers of events. Clones of these settings share the list.
    pub observers: Observers,
    /// PEM bundles of trusted certificates, in addition to those of the system.
    pub root_certificates: Vec<Bytes>,
    /// Certificate of the client, for servers that ask for one. Default: none.
    pub client_certificate: Option<ClientCertificate>,
    /// Proxy of the network. Default: that of the environment and the system.
    pub proxy: Proxy,
}

impl TransportConfig {
    /// Defaults for a server at `base_url`, without a credential.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            credential: None,
            key_header: HeaderName::from_static(header::API_KEY),
            user_agent: default_user_agent(),
            headers: HeaderMap::new(),
            limits: PerClass::default(),
            policies: PerClass::default(),
            pause_limit: PAUSE_LIMIT,
            breaker: None,
            adaptive: None,
            hedge: None,
            observers: Observers::new(),
            root_certificates: Vec::new(),
            client_certificate: None,
            proxy: Proxy::System,
        }
    }

    tinker_types::setters! {
        /// Sets the credential.
        with_credential(credential: impl Credential + 'static) => credential = Some(Arc::new(credential));

        /// Sets the header of the key.
        with_key_header(name: HeaderName) => key_header = name;

        /// Sets the certificate of the client.
        with_client_certificate(certificate: ClientCertificate) => client_certificate = Some(certificate);

        /// Sets the proxy.
        with_proxy(proxy: Proxy) => proxy = proxy;

        /// Sets the `User-Agent`.
        with_user_agent(user_agent: impl Into<String>) => user_agent = user_agent.into();

        /// Sets the headers for every request.
        with_headers(headers: HeaderMap) => headers = headers;
    }

    /// Sets limits and timeouts of one class.
    #[must_use]
    pub fn with_limits(mut self, class: Class, limits: ClassLimits) -> Self {
        *self.limits.get_mut(class) = limits;
        self
    }

    /// Sets the retry policy of one class.
    #[must_use]
    pub fn with_policy(mut self, class: Class, policy: impl Policy + 'static) -> Self {
        *self.policies.get_mut(class) = Arc::new(policy);
        self
    }

    /// Sets the retry policy of all classes but [`Class::Retrieve`] and [`Class::Telemetry`], whose senders repeat or
    /// replace what failed.
    #[must_use]
    pub fn with_policy_for_all(mut self, policy: impl Policy + 'static) -> Self {
        let policy: Arc<dyn Policy> = Arc::new(policy);
        for class in [Class::Session, Class::Sample, Class::Train, Class::Rest] {
            *self.policies.get_mut(class) = Arc::clone(&policy);
        }
        self
    }

    tinker_types::setters! {
        /// Sets the longest total pause after responses of 402.
        with_pause_limit(limit: Duration) => pause_limit = limit;

        /// Enables a circuit breaker.
        with_breaker(breaker: BreakerLayer) => breaker = Some(breaker);

        /// Enables adaptive concurrency.
        with_adaptive(adaptive: AdaptiveLayer) => adaptive = Some(adaptive);

        /// Enables hedged reads.
        with_hedge(hedge: HedgeLayer) => hedge = Some(hedge);
    }

    /// Attaches an observer. Further ones can be attached to [`observers`](Self::observers) at any time.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        self.observers.attach(observer);
        self
    }

    /// Writes events to `tracing`, see [`Logger`](crate::Logger).
    #[must_use]
    pub fn with_logger(self) -> Self {
        self.observers.attach_logger();
        self
    }

    /// Adds a PEM bundle of trusted certificates.
    #[must_use]
    pub fn with_root_certificates(mut self, pem: impl Into<Bytes>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }
}

fn default_user_agent() -> String {
    format!(
        "tinker-rust/{} ({}; {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

impl fmt::Debug for TransportConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password in the base URL is refused later; until then it is hidden.
        let base_url = if self.base_url.contains('@') {
            "[hidden]"
        } else {
            &self.base_url
        };
        f.debug_struct("TransportConfig")
            .field("base_url", &base_url)
            .field("credential", &self.credential)
            .field("key_header", &self.key_header)
            .field("user_agent", &self.user_agent)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("limits", &self.limits)
            .field("policies", &self.policies)
            .field("pause_limit", &self.pause_limit)
            .field("breaker", &self.breaker)
            .field("adaptive", &self.adaptive)
            .field("hedge", &self.hedge)
            .field("observers", &self.observers)
            .field("root_certificates", &self.root_certificates.len())
            .field("client_certificate", &self.client_certificate)
            .field("proxy", &self.proxy)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_of_headers_only() {
        let mut headers = HeaderMap::new();
        headers.insert("cf-access-client-secret", "hunter2".parse().unwrap());
        let config = TransportConfig::new("https://me:hunter2@h.test").with_headers(headers);
        let shown = format!("{config:?}");
        assert!(shown.contains("cf-access-client-secret"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
