//! Settings of a client.

pub(crate) mod credentials;
pub(crate) mod dialect;
mod env;
pub(crate) mod poll_waits;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tinker_transport::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer};
use tinker_transport::{
    ApiKey, Class, ClassLimits, ClientCertificate, Command, Credential, PerClass, Proxy, Token,
    without_user,
};

pub use env::{ENVIRONMENT, HUB_ENVIRONMENT, Variable, cache_folder};

use crate::config::dialect::Dialect;
use crate::config::poll_waits::PollWaits;
use crate::error::{ConfigError, Error};

/// Address of the hosted service.
pub const OFFICIAL_BASE_URL: &str = "https://tinker.thinkingmachines.dev/services/tinker-prod";

/// Settings of a [`ServiceClient`](crate::ServiceClient).
///
/// Plain data: only [`Config::from_env`] reads the environment.
///
/// ```
/// use tinker_client::Config;
///
/// let config = Config::new("http://localhost:8000")
///     .with_api_key("anything")
///     .with_display_name("first run");
/// assert!(!format!("{config:?}").contains("anything"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Address of the server, with an optional path prefix. Default: [`OFFICIAL_BASE_URL`].
    pub base_url: String,
    /// The API key. The hosted service requires one that starts with `tml-`; other servers may accept any key, or none.
    pub api_key: Option<Token>,
    /// A shell command that prints a key; used if no key is set.
    pub credential_command: Option<String>,
    /// Project of the sessions. Default: none.
    pub project_id: Option<String>,
    /// Tags of the session, for searches.
    pub tags: Vec<String>,
    /// Display name of the session.
    pub display_name: Option<String>,
    /// Metadata stored with the session.
    pub user_metadata: BTreeMap<String, Value>,
    /// Headers sent with every request. Their values are treated as secrets.
    pub headers: HeaderMap,
    /// Limits and timeouts of each class of traffic. A limit of the server that differs from its default takes
    /// precedence; see [`flow`](crate::flow).
    pub limits: PerClass<ClassLimits>,
    /// Time without contact to the server after which an accepted operation fails. Default: 5 minutes.
    pub unreachable_after: Duration,
    /// Waits between polls for results.
    pub poll_waits: PollWaits,
    /// Time without progress after which a warning names the oldest waiting operation. Default: 10 minutes.
    pub stuck_after: Duration,
    /// Whether errors and the course of operations are reported to the server, at most 100 events per request and
    /// without training data or samples. Default: true.
    pub telemetry: bool,
    /// Largest accepted answer, in bytes. Default: 1 GiB.
    pub answer_limit: u64,
    /// zstd level of training batches, which are compressed for servers that ask for it: from -7, the fastest, to 22, the
    /// smallest; levels outside of this range count as its ends. Default: 1, which makes batches of text as small as level 3,
    /// that of the official client, in half the time. `docs/performance.md` has the figures.
    pub compression_level: i32,
    /// Circuit breaker: refuses requests while the server keeps failing. Clones share its state, also those in clones of
    /// this configuration. Default: none.
    pub breaker: Option<BreakerLayer>,
    /// Adaptive limit on concurrent requests of samples and REST. Clones share the limit, also those in clones of this
    /// configuration. Default: none, only [`Self::limits`] hold.
    pub adaptive: Option<AdaptiveLayer>,
    /// Hedging: repeats slow GET requests and takes the first answer. Clones share its latencies and its budget, also
    /// those in clones of this configuration. Default: none.
    pub hedge: Option<HedgeLayer>,
    /// Where the server differs from the hosted service.
    pub dialect: Dialect,
    /// File in which it is kept between runs how a server takes passes without gradients, so that it is not tested by each
    /// run. It holds addresses and no secrets. Default: none; from the environment, `tinker/servers.json` in the user's
    /// cache folder, which is `XDG_CACHE_HOME` or `~/.cache`.
    pub facts_file: Option<PathBuf>,
    /// Proxy of the network. Default: that of the environment and the system.
    pub proxy: Proxy,
    /// PEM bundles of trusted certificates, in addition to those of the system.
    pub root_certificates: Vec<Bytes>,
    /// Certificate of this client, for servers that ask for one. Default: none.
    pub client_certificate: Option<ClientCertificate>,
}

impl Config {
    /// Defaults for a server at `base_url`, without a key.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            credential_command: None,
            project_id: None,
            tags: Vec::new(),
            display_name: None,
            user_metadata: BTreeMap::new(),
            headers: HeaderMap::new(),
            limits: PerClass::default(),
            unreachable_after: Duration::from_mins(5),
            poll_waits: PollWaits::default(),
            stuck_after: Duration::from_mins(10),
            telemetry: true,
            answer_limit: 1 << 30,
            compression_level: 1,
            breaker: None,
            adaptive: None,
            hedge: None,
            dialect: Dialect::default(),
            facts_file: None,
            proxy: Proxy::System,
            root_certificates: Vec::new(),
            client_certificate: None,
        }
    }

    tinker_types::setters! {
        /// Sets the API key; surrounding whitespace is removed.
        with_api_key(key: impl AsRef<str>) => api_key = Some(Token::new(key.as_ref().trim()));

        /// Sets a shell command that prints a key.
        with_credential_command(line: impl Into<String>) => credential_command = Some(line.into());

        /// Sets the project.
        with_project_id(project_id: impl Into<String>) => project_id = Some(project_id.into());

        /// Adds a tag.
        with_tag(tag: impl Into<String>) => tags.push(tag.into());

        /// Sets the display name of the session.
        with_display_name(name: impl Into<String>) => display_name = Some(name.into());

        /// Adds metadata.
        with_user_metadata(key: impl Into<String>, value: impl Into<Value>) => user_metadata.insert(key.into(), value.into());

        /// Adds a header to every request.
        with_header(name: HeaderName, value: HeaderValue) => headers.insert(name, value);

        /// Sets [`Self::unreachable_after`].
        with_unreachable_after(after: Duration) => unreachable_after = after;

        /// Sets [`Self::poll_waits`].
        with_poll_waits(waits: PollWaits) => poll_waits = waits;

        /// Sets [`Self::stuck_after`].
        with_stuck_after(after: Duration) => stuck_after = after;

        /// Sets [`Self::telemetry`].
        with_telemetry(is_on: bool) => telemetry = is_on;

        /// Sets [`Self::answer_limit`].
        with_answer_limit(bytes: u64) => answer_limit = bytes;

        /// Sets [`Self::compression_level`].
        with_compression_level(level: i32) => compression_level = level;

        /// Switches on a circuit breaker.
        ///
        /// ```
        /// use tinker_client::Config;
        /// use tinker_client::transport::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer};
        ///
        /// let config = Config::new("http://localhost:8000")
        ///     .with_breaker(BreakerLayer::per_class())
        ///     .with_adaptive(AdaptiveLayer::new())
        ///     .with_hedge(HedgeLayer::after_share(0.95));
        /// ```
        with_breaker(breaker: BreakerLayer) => breaker = Some(breaker);

        /// Switches on an adaptive limit on concurrent requests.
        with_adaptive(adaptive: AdaptiveLayer) => adaptive = Some(adaptive);

        /// Switches on hedging.
        with_hedge(hedge: HedgeLayer) => hedge = Some(hedge);

        /// Sets [`Self::dialect`].
        with_dialect(dialect: Dialect) => dialect = dialect;

        /// Sets [`Self::facts_file`].
        with_facts_file(path: impl Into<PathBuf>) => facts_file = Some(path.into());

        /// Sets [`Self::proxy`].
        with_proxy(proxy: Proxy) => proxy = proxy;

        /// Adds a PEM bundle of trusted certificates.
        with_root_certificates(pem: impl Into<Bytes>) => root_certificates.push(pem.into());

        /// Sets [`Self::client_certificate`].
        with_client_certificate(certificate: ClientCertificate) => client_certificate = Some(certificate);
    }

    /// Sets the limits and timeouts of one class.
    #[must_use]
    pub fn with_limits(mut self, class: Class, limits: ClassLimits) -> Self {
        *self.limits.get_mut(class) = limits;
        self
    }

    /// The base URL without user name and password, for messages.
    pub fn shown_base_url(&self) -> String {
        without_user(&self.base_url)
    }

    /// Whether the server is the hosted service.
    pub fn is_official(&self) -> bool {
        self.base_url.trim().trim_end_matches('/') == OFFICIAL_BASE_URL
    }

    /// Whether requests have the form of the official client; see [`Dialect::official_form`].
    pub fn has_official_form(&self) -> bool {
        self.dialect
            .official_form
            .unwrap_or_else(|| self.is_official())
    }

    /// The credential of these settings: the key, if it is a JWT or has the form that the server requires, otherwise the
    /// command.
    pub(crate) fn credential(&self) -> Result<Option<Arc<dyn Credential>>, Error> {
        let command = self.credential_command.as_deref();
        let is_fit = |key: &str| !self.is_official() || key.starts_with("tml-") || is_jwt(key);
        match (&self.api_key, command) {
            (Some(key), _) if is_fit(key.expose()) => Ok(Some(Arc::new(ApiKey::new(key.expose())))),
            (_, Some(line)) => Ok(Some(Arc::new(Command::new(line)))),
            (Some(_), None) => {
                let what = "the API key does not start with tml-, as keys of the hosted service do; check TINKER_API_KEY, or set TINKER_BASE_URL if the key belongs to another server";
                Err(ConfigError::new(what).into())
            }
            (None, None) => Ok(None),
        }
    }

    /// The credential for a server that requires dynamic credentials.
    pub(crate) fn enforced_credential(&self) -> Result<Arc<dyn Credential>, Error> {
        if let Some(key) = self.api_key.as_ref().filter(|key| is_jwt(key.expose())) {
            return Ok(Arc::new(ApiKey::new(key.expose())));
        }
        let line = self.credential_command.as_deref().ok_or_else(|| {
            ConfigError::new("your organization requires dynamic credentials; set TINKER_CREDENTIAL_CMD to a command that prints one")
        })?;
        Ok(Arc::new(Command::new(line)))
    }

    /// Refuses a configuration for the hosted service without a key.
    pub(crate) fn require_key(&self) -> Result<(), Error> {
        let has_none = self.api_key.is_none() && self.credential_command.is_none();
        if has_none && self.is_official() {
            let what = "no API key for the hosted service; set TINKER_API_KEY or call Config::with_api_key; for another server set TINKER_BASE_URL or call Config::new";
            return Err(ConfigError::new(what).into());
        }
        Ok(())
    }
}

fn is_jwt(key: &str) -> bool {
    key.starts_with("eyJ")
}

impl Default for Config {
    /// The hosted service, without a key.
    fn default() -> Self {
        Self::new(OFFICIAL_BASE_URL)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("base_url", &self.shown_base_url())
            .field("api_key", &self.api_key)
            .field(
                "credential_command",
                &self.credential_command.as_ref().map(|_| "[hidden]"),
            )
            .field("project_id", &self.project_id)
            .field("tags", &self.tags)
            .field("display_name", &self.display_name)
            .field("user_metadata", &self.user_metadata)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("limits", &self.limits)
            .field("unreachable_after", &self.unreachable_after)
            .field("poll_waits", &self.poll_waits)
            .field("stuck_after", &self.stuck_after)
            .field("telemetry", &self.telemetry)
            .field("answer_limit", &self.answer_limit)
            .field("compression_level", &self.compression_level)
            .field("breaker", &self.breaker)
            .field("adaptive", &self.adaptive)
            .field("hedge", &self.hedge)
            .field("dialect", &self.dialect)
            .field("facts_file", &self.facts_file)
            .field("proxy", &self.proxy)
            .field("root_certificates", &self.root_certificates.len())
            .field("client_certificate", &self.client_certificate)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosted_service_wants_its_own_keys_and_others_take_any() {
        let refused = Config::default()
            .with_api_key("sk-1")
            .credential()
            .unwrap_err();
        assert!(refused.is_user_error() && !refused.to_string().contains("sk-1"));
        for key in ["tml-1", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(
                Config::default()
                    .with_api_key(key)
                    .credential()
                    .unwrap()
                    .is_some()
            );
        }
        let other = Config::new("http://localhost:8000/");
        assert!(
            other
                .clone()
                .with_api_key("sk-1")
                .credential()
                .unwrap()
                .is_some()
        );
        assert!(other.credential().unwrap().is_none());
        assert!(other.require_key().is_ok() && Config::default().require_key().is_err());
    }

    #[test]
    fn a_command_stands_in_for_a_key_of_another_shape() {
        let config = Config::default()
            .with_api_key("sk-1")
            .with_credential_command("print-key");
        let shown = |config: Config| format!("{:?}", config.credential().unwrap().unwrap());
        assert!(shown(config.clone()).starts_with("Command"));
        // A key that will do comes first.
        assert!(shown(config.with_api_key("tml-1")).starts_with("ApiKey"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = HeaderValue::from_static("hunter2");
        let config = Config::new("https://me:hunter2@h.test")
            .with_api_key("hunter2")
            .with_credential_command("echo hunter2")
            .with_header(HeaderName::from_static("cf-access-client-secret"), secret);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
