//! The settings of one named server.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer};
use tinker_transport::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer};
use tinker_transport::{Class, ClientCertificate, Proxy, Token};

use super::limits::LimitSettings;
use crate::config::Config;
use crate::config::dialect::{Dialect, ForwardOnly, Wire};
use crate::error::{ConfigError, Error};

/// The settings of one named server, as in the profile file. Unset ones are those of the profile that it is
/// [`like`](Self::like), else the defaults of [`Config`]. `Debug` shows no key and no value of a header.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Profile {
    /// Name of the built-in profile to begin with.
    pub like: Option<String>,
    /// Address of the server.
    pub base_url: Option<String>,
    /// The key.
    #[serde(deserialize_with = "token")]
    pub key: Option<Token>,
    /// Environment variable that holds the key.
    pub key_env: Option<String>,
    /// Shell command that prints the key.
    pub key_command: Option<String>,
    /// Header of the key.
    pub key_header: Option<String>,
    /// Headers of every request. `{model}` and `{request}` in a value vary with the request; see
    /// [`Dialect::varying_headers`](crate::Dialect::varying_headers).
    pub headers: BTreeMap<String, String>,
    /// Form of training passes: `auto`, `json` or `protobuf`.
    #[serde(deserialize_with = "wire")]
    pub wire: Option<Wire>,
    /// Form of passes without gradients: `auto`, `tested`, `flag` or `url`.
    #[serde(deserialize_with = "forward_only")]
    pub forward_only: Option<ForwardOnly>,
    /// Whether requests have the form of the official client.
    pub official_form: Option<bool>,
    /// Version of the official client to claim.
    pub sdk_version: Option<String>,
    /// Scheme of checkpoint paths.
    pub path_scheme: Option<String>,
    /// `system`, `direct`, or the URL of a proxy.
    pub proxy: Option<String>,
    /// PEM file of further trusted certificates.
    pub ca: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub client_certificate: Option<PathBuf>,
    /// PEM file of the key of the client's certificate.
    pub client_key: Option<PathBuf>,
    /// Project of the sessions.
    pub project: Option<String>,
    /// Whether reports are sent to the server.
    pub telemetry: Option<bool>,
    /// Seconds without contact after which accepted work fails.
    pub unreachable_after: Option<u32>,
    /// Whether a circuit breaker refuses requests while the server keeps failing.
    pub breaker: Option<bool>,
    /// Whether the number of concurrent requests adapts to the server.
    pub adaptive: Option<bool>,
    /// Reads that are slower than this share of the others are repeated.
    pub hedge: Option<f64>,
    /// Limits by class of traffic.
    pub limits: BTreeMap<String, LimitSettings>,
}

/// The origin of a profile's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// No key is sent.
    None,
    /// In the profile itself.
    Inline,
    /// An environment variable.
    Variable,
    /// A shell command.
    Command,
}

fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Token>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(Some(Token::new(text.trim())))
}

/// One of some words.
fn word<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    words: &[(&str, T)],
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let found = words.iter().find(|(word, _)| *word == text);
    let unknown = || {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        serde::de::Error::custom(format!("{text:?} is not one of {}", known.join(", ")))
    };
    found.map(|(_, value)| Some(*value)).ok_or_else(unknown)
}

fn wire<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Wire>, D::Error> {
    let words = [
        ("auto", Wire::Auto),
        ("json", Wire::Json),
        ("protobuf", Wire::Protobuf),
    ];
    word(deserializer, &words)
}

fn forward_only<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ForwardOnly>, D::Error> {
    let words = [
        ("auto", ForwardOnly::Auto),
        ("tested", ForwardOnly::Tested),
        ("flag", ForwardOnly::Flag),
        ("url", ForwardOnly::Url),
    ];
    word(deserializer, &words)
}

impl Profile {
    /// The origin of the key.
    pub fn key_source(&self) -> KeySource {
        match (&self.key, &self.key_env, &self.key_command) {
            (Some(_), _, _) => KeySource::Inline,
            (None, Some(_), _) => KeySource::Variable,
            (None, None, Some(_)) => KeySource::Command,
            (None, None, None) => KeySource::None,
        }
    }

    /// This profile, and the settings of `base` where it has none.
    #[must_use]
    pub(super) fn over(self, base: Self) -> Self {
        // A key of any kind replaces the key of the other profile.
        let has_key = self.key_source() != KeySource::None;
        let base_key = |value: Option<String>| value.filter(|_| !has_key);
        let mut headers = base.headers;
        headers.extend(self.headers);
        let mut limits = base.limits;
        limits.extend(self.limits);
        Self {
            like: self.like.or(base.like),
            base_url: self.base_url.or(base.base_url),
            key: self.key.or(base.key.filter(|_| !has_key)),
            key_env: self.key_env.or_else(|| base_key(base.key_env)),
            key_command: self.key_command.or_else(|| base_key(base.key_command)),
            key_header: self.key_header.or(base.key_header),
            headers,
            wire: self.wire.or(base.wire),
            forward_only: self.forward_only.or(base.forward_only),
            official_form: self.official_form.or(base.official_form),
            sdk_version: self.sdk_version.or(base.sdk_version),
            path_scheme: self.path_scheme.or(base.path_scheme),
            proxy: self.proxy.or(base.proxy),
            ca: self.ca.or(base.ca),
            client_certificate: self.client_certificate.or(base.client_certificate),
            client_key: self.client_key.or(base.client_key),
            project: self.project.or(base.project),
            telemetry: self.telemetry.or(base.telemetry),
            unreachable_after: self.unreachable_after.or(base.unreachable_after),
            breaker: self.breaker.or(base.breaker),
            adaptive: self.adaptive.or(base.adaptive),
            hedge: self.hedge.or(base.hedge),
            limits,
        }
    }

    /// The configuration of this profile. Reads the certificates, and the environment: `TINKER_PROJECT_ID`,
    /// `TINKER_TAGS`, `TINKER_TELEMETRY` and `TINKER_SDK_VERSION` take precedence over the profile. Variables with
    /// secrets of another server are not read; only [`key_env`](Self::key_env) is.
    ///
    /// # Errors
    /// A profile without an address, a variable without a key, a file that cannot be read, an invalid header.
    pub fn to_config(&self) -> Result<Config, Error> {
        Config::of_profile(self)
    }

    /// Puts everything but the address and what the environment holds into a configuration.
    pub(crate) fn fill(
        &self,
        config: &mut Config,
        is_set: impl Fn(&str) -> bool,
        read: impl Fn(&str) -> Result<Option<String>, ConfigError>,
    ) -> Result<(), Error> {
        config.api_key = self.read_key(read)?;
        config.credential_command.clone_from(&self.key_command);
        if config.project_id.is_none() {
            config.project_id.clone_from(&self.project);
        }
        if let Some(is_on) = self.telemetry.filter(|_| !is_set("TINKER_TELEMETRY")) {
            config.telemetry = is_on;
        }
        if let Some(seconds) = self.unreachable_after {
            config.unreachable_after = Duration::from_secs(u64::from(seconds));
        }
        config.breaker = self
            .breaker
            .filter(|is_on| *is_on)
            .map(|_| BreakerLayer::per_class());
        config.adaptive = self
            .adaptive
            .filter(|is_on| *is_on)
            .map(|_| AdaptiveLayer::new());
        if let Some(share) = self.hedge {
            if !(share > 0.0 && share < 1.0) {
                return refuse(format!("hedge = {share}: must be between 0 and 1"));
            }
            config.hedge = Some(HedgeLayer::after_share(share));
        }
        for (name, limits) in &self.limits {
            let Some(class) = Class::ALL.into_iter().find(|class| class.name() == name) else {
                let known = Class::ALL.map(Class::name).join(", ");
                return refuse(format!("limits.{name}: is not one of {known}"));
            };
            limits.apply(config.limits.get_mut(class));
        }
        self.fill_network(config)?;
        let claims = is_set("TINKER_SDK_VERSION").then(|| config.dialect.sdk_version.clone());
        self.fill_dialect(config)?;
        if let Some(version) = claims {
            config.dialect.sdk_version = version;
        }
        Ok(())
    }

    fn read_key(
        &self,
        read: impl Fn(&str) -> Result<Option<String>, ConfigError>,
    ) -> Result<Option<Token>, Error> {
        match (&self.key, &self.key_env) {
            (Some(key), _) => Ok(Some(key.clone())),
            (None, Some(name)) => Ok(read(name)?
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty())
                .map(Token::new)),
            (None, None) => Ok(None),
        }
    }

    fn fill_network(&self, config: &mut Config) -> Result<(), Error> {
        config.proxy = match self.proxy.as_deref() {
            None | Some("system") => Proxy::System,
            Some("direct") => Proxy::Direct,
            Some(url) => Proxy::Url(url.to_owned()),
        };
        if let Some(path) = &self.ca {
            config.root_certificates.push(file("ca", path)?.into());
        }
        match (&self.client_certificate, &self.client_key) {
            (Some(chain), Some(key)) => {
                let chain = file("client_certificate", chain)?;
                let key = file("client_key", key)?;
                config.client_certificate = Some(ClientCertificate::from_pem(chain, key));
            }
            (None, None) => {}
            _ => {
                return refuse(
                    "client_certificate and client_key belong together; set both".into(),
                );
            }
        }
        Ok(())
    }

    fn fill_dialect(&self, config: &mut Config) -> Result<(), Error> {
        let mut dialect = Dialect {
            wire: self.wire.unwrap_or_default(),
            forward_only: self.forward_only.unwrap_or_default(),
            official_form: self.official_form,
            ..Dialect::default()
        };
        if let Some(version) = &self.sdk_version {
            dialect.sdk_version.clone_from(version);
        }
        if let Some(scheme) = &self.path_scheme {
            scheme
                .trim_end_matches("://")
                .clone_into(&mut dialect.path_scheme);
        }
        if let Some(name) = &self.key_header {
            dialect.key_header = header_name("key_header", name)?;
        }
        for (name, value) in &self.headers {
            let place = format!("headers.{name}");
            let header = header_name(&place, name)?;
            if value.contains("{model}") || value.contains("{request}") {
                dialect.varying_headers.push((header, value.clone()));
                continue;
            }
            let Ok(mut value) = HeaderValue::from_str(value) else {
                return refuse(format!("{place}: is not a valid header value"));
            };
            value.set_sensitive(true);
            config.headers.insert(header, value);
        }
        config.dialect = dialect;
        Ok(())
    }
}

fn refuse<T>(what: String) -> Result<T, Error> {
    Err(ConfigError::new(what).into())
}

fn header_name(place: &str, name: &str) -> Result<HeaderName, Error> {
    let parsed = HeaderName::try_from(name);
    parsed.map_err(|_| ConfigError::new(format!("{place}: {name:?} is not a header name")).into())
}

/// Reads a file that a setting names.
fn file(setting: &str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| {
        let what = format!(
            "{setting} = {:?}: cannot be read",
            path.display().to_string()
        );
        ConfigError::new(what).because(error).into()
    })
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("like", &self.like)
            .field(
                "base_url",
                &self.base_url.as_deref().map(tinker_transport::without_user),
            )
            .field("key", &self.key_source())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
