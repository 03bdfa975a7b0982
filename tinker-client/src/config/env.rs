//! Settings from the environment. The only file that reads environment variables.

use http::{HeaderName, HeaderValue};

use std::path::{Path, PathBuf};

use super::{Config, OFFICIAL_BASE_URL};
use crate::config::credentials::{CredentialsFile, StoredKey};
use crate::error::{ConfigError, Error};
use crate::hub::{HubConfig, HubError};
#[cfg(feature = "profiles")]
use crate::profile::{Profile, ProfileFile};

/// An environment variable that [`Config::from_env`] or [`HubConfig::from_env`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variable {
    /// Name of the variable.
    pub name: &'static str,
    /// The setting.
    pub meaning: &'static str,
}

macro_rules! variables {
    ($($constant:ident = $name:literal: $meaning:literal;)*) => {
        $(const $constant: &str = $name;)*

        /// All variables that [`Config::from_env`] reads. An empty variable counts as unset.
        pub const ENVIRONMENT: &[Variable] = &[$(Variable { name: $name, meaning: $meaning }),*];
    };
}

variables! {
    API_KEY = "TINKER_API_KEY": "the API key, or a JWT";
    CREDENTIAL_CMD = "TINKER_CREDENTIAL_CMD": "a shell command that prints a key; used if no key is set";
    BASE_URL = "TINKER_BASE_URL": "address of the server; default: the hosted service";
    PROJECT_ID = "TINKER_PROJECT_ID": "the project of the sessions";
    TAGS = "TINKER_TAGS": "tags of the session, separated by commas";
    TELEMETRY = "TINKER_TELEMETRY": "reports to the server, see Config::telemetry: 1, true, yes or on enable them, anything else disables them; default: on";
    SDK_VERSION = "TINKER_SDK_VERSION": "version of the official client to claim, see Dialect::sdk_version";
    CF_ID = "CLOUDFLARE_ACCESS_CLIENT_ID": "sent as CF-Access-Client-Id, for servers behind Cloudflare Access";
    CF_SECRET = "CLOUDFLARE_ACCESS_CLIENT_SECRET": "sent as CF-Access-Client-Secret";
}

/// The value of a variable.
fn variable(name: &str) -> Result<Option<String>, ConfigError> {
    let utf8 = |value: std::ffi::OsString| {
        let refuse = |_| ConfigError::new(format!("{name}: is not UTF-8"));
        value.into_string().map_err(refuse)
    };
    std::env::var_os(name).map(utf8).transpose()
}

/// The file of facts about servers; `None` without a home folder.
fn facts_file() -> Option<PathBuf> {
    let folder = std::env::var_os(XDG_CACHE_HOME).map(PathBuf::from);
    let folder = folder.filter(|folder| folder.is_absolute()).or_else(|| {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
        Some(home.join(".cache"))
    })?;
    Some(folder.join("tinker").join("servers.json"))
}

impl Config {
    /// Settings from the environment; [`ENVIRONMENT`] lists the variables. If neither a key nor a command is set, the
    /// key is the default key of the user's [`CredentialsFile`](crate::CredentialsFile), if that exists.
    ///
    /// # Errors
    /// A variable that is not UTF-8 or not a valid header value; a credentials file that is needed and cannot be read.
    pub fn from_env() -> Result<Self, Error> {
        let mut config = Self::from_variables(variable)?;
        config.facts_file = facts_file();
        match CredentialsFile::of_user() {
            Some(file) => config.or_stored(&file),
            None => Ok(config),
        }
    }

    /// Takes the default key of the file if no other credential is set.
    fn or_stored(mut self, file: &CredentialsFile) -> Result<Self, Error> {
        if self.api_key.is_none() && self.credential_command.is_none() {
            self.api_key = file.read()?.default_key().map(StoredKey::token);
        }
        Ok(self)
    }

    fn from_variables(
        read: impl Fn(&str) -> Result<Option<String>, ConfigError>,
    ) -> Result<Self, Error> {
        let read = |name| {
            let value = read(name)?.map(|value| value.trim().to_owned());
            Ok::<_, Error>(value.filter(|value| !value.is_empty()))
        };
        let mut config = Self::new(read(BASE_URL)?.as_deref().unwrap_or(OFFICIAL_BASE_URL));
        config.credential_command = read(CREDENTIAL_CMD)?;
        config.project_id = read(PROJECT_ID)?;
        if let Some(key) = read(API_KEY)? {
            config = config.with_api_key(key);
        }
        if let Some(word) = read(TELEMETRY)? {
            let word = word.to_ascii_lowercase();
            config.telemetry = matches!(word.as_str(), "1" | "true" | "yes" | "on");
        }
        if let Some(version) = read(SDK_VERSION)? {
            config.dialect.sdk_version = version;
        }
        for tag in read(TAGS)?.unwrap_or_default().split(',').map(str::trim) {
            if !tag.is_empty() && !config.tags.iter().any(|known| known == tag) {
                config.tags.push(tag.to_owned());
            }
        }
        for (variable, header) in [
            (CF_ID, HeaderName::from_static("cf-access-client-id")),
            (
                CF_SECRET,
                HeaderName::from_static("cf-access-client-secret"),
            ),
        ] {
            if let Some(value) = read(variable)? {
                let refuse =
                    |_| ConfigError::new(format!("{variable}: is not a valid header value"));
                let value = HeaderValue::from_str(&value).map_err(refuse)?;
                config.headers.insert(header, value);
            }
        }
        Ok(config)
    }
}

#[cfg(feature = "profiles")]
impl Config {
    /// See [`Profile::to_config`](crate::profile::Profile::to_config).
    pub(crate) fn of_profile(profile: &Profile) -> Result<Self, Error> {
        let Some(base_url) = &profile.base_url else {
            let what = "the profile has no address; set base_url";
            return Err(ConfigError::new(what).into());
        };
        // Keys and headers of the environment are for the server that the environment names.
        let own = [TAGS, PROJECT_ID, TELEMETRY, SDK_VERSION];
        let mut config = Self::from_variables(|name| match name {
            BASE_URL => Ok(Some(base_url.clone())),
            name if own.contains(&name) => variable(name),
            _ => Ok(None),
        })?;
        let is_set = |name: &str| variable(name).is_ok_and(|value| value.is_some());
        profile.fill(&mut config, is_set, variable)?;
        config.facts_file = facts_file();
        match CredentialsFile::of_user() {
            Some(file) if config.is_official() => config.or_stored(&file),
            _ => Ok(config),
        }
    }
}

#[cfg(feature = "profiles")]
impl ProfileFile {
    /// The file of the user; `None` without a home folder.
    pub fn of_user() -> Option<Self> {
        let absolute = |folder: std::ffi::OsString| {
            Some(std::path::PathBuf::from(folder)).filter(|folder| folder.is_absolute())
        };
        let folder = std::env::var_os("XDG_CONFIG_HOME").and_then(absolute);
        let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let folder = folder.or_else(|| Some(home()?.join(".config")))?;
        Some(Self::at(folder.join("tinker").join("config.toml")))
    }
}

/// The folder for what can be made again: `tinker` in `XDG_CACHE_HOME` or `~/.cache`; `None` without a home folder.
pub fn cache_folder() -> Option<PathBuf> {
    let absolute = |folder: std::ffi::OsString| {
        Some(PathBuf::from(folder)).filter(|folder| folder.is_absolute())
    };
    let folder = std::env::var_os(XDG_CACHE_HOME).and_then(absolute);
    let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let folder = folder.or_else(|| Some(home()?.join(".cache")))?;
    Some(folder.join("tinker"))
}

impl CredentialsFile {
    /// The file of the user, `~/.tinker/credentials.json`; `None` without a home folder.
    pub fn of_user() -> Option<Self> {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
        Some(Self::at(home.join(".tinker").join("credentials.json")))
    }
}

/// All variables that [`HubConfig::from_env`] reads: those of `huggingface_hub`. An empty variable counts as unset.
pub const HUB_ENVIRONMENT: &[Variable] = &[
    Variable {
        name: HF_HOME,
        meaning: "folder of token and cache; default: huggingface in XDG_CACHE_HOME or ~/.cache",
    },
    Variable {
        name: HF_HUB_CACHE,
        meaning: "the cache; default: hub in HF_HOME",
    },
    Variable {
        name: XDG_CACHE_HOME,
        meaning: "folder of caches; default: ~/.cache",
    },
    Variable {
        name: HF_ENDPOINT,
        meaning: "address of the Hub; default: https://huggingface.co",
    },
    Variable {
        name: HF_TOKEN,
        meaning: "the token of the user",
    },
    Variable {
        name: HF_TOKEN_PATH,
        meaning: "the file of the token; default: token in HF_HOME",
    },
    Variable {
        name: HF_HUB_OFFLINE,
        meaning: "1, true, yes or on: use the cache only",
    },
];

const HF_HOME: &str = "HF_HOME";
const HF_HUB_CACHE: &str = "HF_HUB_CACHE";
const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
const HF_ENDPOINT: &str = "HF_ENDPOINT";
const HF_TOKEN: &str = "HF_TOKEN";
const HF_TOKEN_PATH: &str = "HF_TOKEN_PATH";
const HF_HUB_OFFLINE: &str = "HF_HUB_OFFLINE";

impl HubConfig {
    /// Settings from the environment; [`HUB_ENVIRONMENT`] lists the variables. If no token is set, it is that of
    /// `hf auth login`.
    ///
    /// # Errors
    /// No home folder, a variable that is not UTF-8, or a token's file that cannot be read.
    pub fn from_env() -> Result<Self, HubError> {
        let read = |name: &str| {
            let refuse = |_| HubError::invalid(format!("{name}: is not UTF-8"));
            std::env::var_os(name)
                .map(|value| value.into_string().map_err(refuse))
                .transpose()
        };
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        Self::from_variables(home.as_deref(), read)
    }

    fn from_variables(
        home: Option<&Path>,
        read: impl Fn(&str) -> Result<Option<String>, HubError>,
    ) -> Result<Self, HubError> {
        let read = |name| {
            let value = read(name)?.map(|value| value.trim().to_owned());
            Ok::<_, HubError>(value.filter(|value| !value.is_empty()))
        };
        let path = |name| -> Result<Option<PathBuf>, HubError> {
            let value = read(name)?;
            Ok(value.map(|value| match (value.strip_prefix("~/"), home) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => PathBuf::from(value),
            }))
        };
        let unknown = || HubError::invalid("the home folder is unknown; set HF_HOME");
        let folder = match (path(HF_HOME)?, path(XDG_CACHE_HOME)?) {
            (Some(folder), _) => folder,
            (None, Some(caches)) => caches.join("huggingface"),
            (None, None) => home.ok_or_else(unknown)?.join(".cache").join("huggingface"),
        };
        let mut config = Self::new(path(HF_HUB_CACHE)?.unwrap_or_else(|| folder.join("hub")));
        if let Some(endpoint) = read(HF_ENDPOINT)? {
            config.endpoint = endpoint;
        }
        let is_on = |word: String| {
            matches!(
                word.to_ascii_lowercase().as_str(),
                "1" | "true" | "yes" | "on"
            )
        };
        config.is_offline = read(HF_HUB_OFFLINE)?.is_some_and(is_on);
        let file = path(HF_TOKEN_PATH)?.unwrap_or_else(|| folder.join("token"));
        let token = match read(HF_TOKEN)? {
            Some(token) => Some(token),
            None => match std::fs::read_to_string(&file) {
                Ok(token) => Some(token.trim().to_owned()).filter(|token| !token.is_empty()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(HubError::disk(&file, "cannot be read", error)),
            },
        };
        Ok(match token {
            Some(token) => config.with_token(token),
            None => config,
        })
    }
}

#[cfg(test)]
mod tests;
