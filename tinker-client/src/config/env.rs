//! Settings from the environment. The only file that reads environment variables.

use http::{HeaderName, HeaderValue};

use std::path::{Path, PathBuf};

use super::{Config, OFFICIAL_BASE_URL};
use crate::config::credentials::{CredentialsFile, StoredKey};
use crate::error::{ConfigError, Error};
use crate::hub::{HubConfig, HubError};

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

impl Config {
    /// Settings from the environment; [`ENVIRONMENT`] lists the variables. If neither a key nor a command is set, the
    /// key is the default key of the user's [`CredentialsFile`](crate::CredentialsFile), if that exists.
    ///
    /// # Errors
    /// A variable that is not UTF-8 or not a valid header value; a credentials file that is needed and cannot be read.
    pub fn from_env() -> Result<Self, Error> {
        let read = |name: &str| {
            std::env::var_os(name)
                .map(|value| {
                    let refuse = |_| ConfigError::new(format!("{name}: is not UTF-8"));
                    value.into_string().map_err(refuse)
                })
                .transpose()
        };
        let config = Self::from_variables(read)?;
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
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Config {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        };
        Config::from_variables(find).unwrap()
    }

    #[test]
    fn everything_listed_is_read() {
        let config = config(&[
            ("TINKER_API_KEY", " tml-1\n"),
            ("TINKER_CREDENTIAL_CMD", "print-key"),
            ("TINKER_BASE_URL", "http://localhost:1"),
            ("TINKER_PROJECT_ID", "p"),
            ("TINKER_TAGS", "a, b,,a"),
            ("TINKER_SDK_VERSION", "0.30.4"),
            ("CLOUDFLARE_ACCESS_CLIENT_ID", "id"),
            ("CLOUDFLARE_ACCESS_CLIENT_SECRET", "secret"),
        ]);
        assert_eq!(config.api_key.unwrap().expose(), "tml-1");
        assert_eq!(config.credential_command.as_deref(), Some("print-key"));
        assert_eq!(config.base_url, "http://localhost:1");
        assert_eq!(config.project_id.as_deref(), Some("p"));
        assert_eq!(config.tags, ["a", "b"]);
        assert_eq!(config.headers["cf-access-client-id"], "id");
        assert_eq!(config.headers["cf-access-client-secret"], "secret");
        assert_eq!(config.dialect.sdk_version, "0.30.4");
        assert_eq!(ENVIRONMENT.len(), 9);
    }

    #[test]
    fn telemetry_is_on_unless_switched_off() {
        assert!(config(&[]).telemetry && config(&[("TINKER_TELEMETRY", " ")]).telemetry);
        for (word, is_on) in [
            ("1", true),
            ("Yes", true),
            ("0", false),
            ("off", false),
            ("2", false),
        ] {
            assert_eq!(
                config(&[("TINKER_TELEMETRY", word)]).telemetry,
                is_on,
                "{word}"
            );
        }
    }

    #[test]
    fn the_hub_has_the_variables_of_python() {
        let home = tempfile::tempdir().unwrap();
        let hub = |variables: &[(&str, &str)]| {
            let find = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                Ok(found.map(|(_, value)| (*value).to_owned()))
            };
            HubConfig::from_variables(Some(home.path()), find).unwrap()
        };
        let cache = home.path().join(".cache/huggingface");
        let plain = hub(&[("HF_HUB_OFFLINE", "0"), ("HF_TOKEN", " ")]);
        assert_eq!(
            (plain.cache, plain.endpoint.as_str()),
            (cache.join("hub"), "https://huggingface.co")
        );
        assert!(plain.token.is_none() && !plain.is_offline);
        std::fs::create_dir_all(&cache).unwrap();
        std::fs::write(cache.join("token"), "hf_stored\n").unwrap();
        assert_eq!(hub(&[]).token.unwrap().expose(), "hf_stored");
        assert_eq!(
            hub(&[("XDG_CACHE_HOME", "/x")]).cache,
            Path::new("/x/huggingface/hub")
        );
        assert_eq!(
            hub(&[("HF_HOME", "~/h"), ("XDG_CACHE_HOME", "/x")]).cache,
            home.path().join("h/hub")
        );
        let all = hub(&[
            ("HF_HOME", "/h"),
            ("HF_HUB_CACHE", "/c"),
            ("HF_ENDPOINT", "http://localhost:1"),
            ("HF_TOKEN", "hf_given"),
            ("HF_HUB_OFFLINE", "ON"),
        ]);
        assert_eq!(
            (all.cache.as_path(), all.endpoint.as_str()),
            (Path::new("/c"), "http://localhost:1")
        );
        assert!(all.is_offline && all.token.as_ref().unwrap().expose() == "hf_given");
        assert!(!format!("{all:?}").contains("hf_given"));
        let elsewhere = cache.join("token").display().to_string();
        let token = hub(&[("HF_HOME", "/h"), ("HF_TOKEN_PATH", &elsewhere)]).token;
        assert_eq!(token.unwrap().expose(), "hf_stored");
        let none = HubConfig::from_variables(None, |_| Ok(None)).unwrap_err();
        assert!(none.to_string().contains("set HF_HOME"), "{none}");
    }

    #[test]
    fn the_stored_key_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = CredentialsFile::at(folder.path().join("credentials.json"));
        let key = |variables: &[(&str, &str)]| {
            let config = config(variables).or_stored(&file)?;
            Ok::<_, Error>(config.api_key.map(|key| key.expose().to_owned()))
        };
        assert_eq!(key(&[]).unwrap(), None);
        let mut stored = crate::Credentials::default();
        stored
            .keys
            .insert("1".into(), StoredKey::new("tml-stored", "laptop"));
        stored.default = Some("1".into());
        file.write(&stored).unwrap();
        assert_eq!(key(&[]).unwrap().as_deref(), Some("tml-stored"));
        let given = ("TINKER_API_KEY", "tml-1");
        assert_eq!(key(&[given]).unwrap().as_deref(), Some("tml-1"));
        assert_eq!(
            key(&[("TINKER_CREDENTIAL_CMD", "print-key")]).unwrap(),
            None
        );
        // A damaged file is an error only if it is needed.
        std::fs::write(file.path(), "{").unwrap();
        assert!(key(&[]).is_err() && key(&[given]).is_ok());
    }

    #[test]
    fn nothing_counts_as_not_set() {
        let config = config(&[
            ("TINKER_BASE_URL", ""),
            ("TINKER_TAGS", ""),
            ("TINKER_API_KEY", " "),
        ]);
        assert_eq!(config.base_url, OFFICIAL_BASE_URL);
        assert!(config.tags.is_empty() && config.api_key.is_none());
    }
}
