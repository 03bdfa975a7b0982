//! Plain settings of a transport.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use crate::class::{Class, PerClass};
use crate::credential::Credential;
use crate::gate::PAUSE_LIMIT;
use crate::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer};
use crate::limits::ClassLimits;
use crate::observer::{Observer, Observers};
use crate::policy::Policy;

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
    /// What goes into `X-API-Key`. `None`: no such header.
    pub credential: Option<Arc<dyn Credential>>,
    /// `User-Agent`; by default name, version and platform of this crate.
    pub user_agent: String,
    /// Headers for every request to the server. A header the request already has wins. Values are
    /// treated as secrets.
    pub headers: HeaderMap,
    /// Limits and times of each class.
    pub limits: PerClass<ClassLimits>,
    /// Retry policy of each class, for calls that do not bring their own. By default
    /// [`Standard`](crate::policy::Standard), and [`Never`](crate::policy::Never) for [`Class::Retrieve`] and [`Class::Telemetry`].
    pub policies: PerClass<Arc<dyn Policy>>,
    /// How long answers of 402, which say that work is paused, are waited out. By default an hour.
    pub pause_limit: Duration,
    /// Refuses requests while the server keeps failing. `None`: no circuit breaker.
    pub breaker: Option<BreakerLayer>,
    /// Finds out how many tries at once the server bears. `None`: only the fixed limits hold.
    pub adaptive: Option<AdaptiveLayer>,
    /// Sends slow reads a second time. `None`: no hedging.
    pub hedge: Option<HedgeLayer>,
    /// Who is told what happens. Clones of these settings share the list.
    pub observers: Observers,
    /// PEM bundles of certificates to trust besides those of the system.
    pub root_certificates: Vec<Bytes>,
}

impl TransportConfig {
    /// Defaults for a server at `base_url`, without a credential.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            credential: None,
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
        }
    }

    /// Sets the credential.
    #[must_use]
    pub fn with_credential(mut self, credential: impl Credential + 'static) -> Self {
        self.credential = Some(Arc::new(credential));
        self
    }

    /// Sets the `User-Agent`.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Sets the headers for every request.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Sets limits and times of one class.
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

    /// Sets how long answers of 402 are waited out.
    #[must_use]
    pub fn with_pause_limit(mut self, limit: Duration) -> Self {
        self.pause_limit = limit;
        self
    }

    /// Switches on a circuit breaker.
    #[must_use]
    pub fn with_breaker(mut self, breaker: BreakerLayer) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Switches on adaptive concurrency.
    #[must_use]
    pub fn with_adaptive(mut self, adaptive: AdaptiveLayer) -> Self {
        self.adaptive = Some(adaptive);
        self
    }

    /// Switches on hedged reads.
    #[must_use]
    pub fn with_hedge(mut self, hedge: HedgeLayer) -> Self {
        self.hedge = Some(hedge);
        self
    }

    /// Attaches an observer; any number may be. More can be attached to
    /// [`observers`](Self::observers) at any time.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        self.observers.attach(observer);
        self
    }

    /// Writes what happens to `tracing`: see [`Logger`](crate::Logger).
    #[must_use]
    pub fn attach_logger(self) -> Self {
        self.observers.attach_logger();
        self
    }

    /// Adds a PEM bundle of certificates to trust.
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
        // A password does not belong into the base URL and is refused later; until then it is hidden.
        let base_url = if self.base_url.contains('@') {
            "[hidden]"
        } else {
            &self.base_url
        };
        f.debug_struct("TransportConfig")
            .field("base_url", &base_url)
            .field("credential", &self.credential)
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
