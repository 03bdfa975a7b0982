//! All named servers.

use std::collections::BTreeMap;

use serde::Deserialize;

use tinker_transport::BaseUrl;

use super::built_in::{BUILT_IN, BuiltIn};
use super::settings::{KeySource, Profile};
use crate::error::{ConfigError, Error};

/// The named servers of a profile file, and the built-in ones.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Profiles {
    /// Name of the server to use where none is named.
    pub default: Option<String>,
    /// The servers of the file, by name.
    pub servers: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Parses the text of a profile file.
    ///
    /// # Errors
    /// Text that is not TOML; an unknown setting or a value of another type, by line. No error repeats a value of `key`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let profiles: Self = toml::from_str(text).map_err(|error| refusal(text, &error))?;
        for (name, profile) in &profiles.servers {
            let kinds = [
                profile.key.is_some(),
                profile.key_env.is_some(),
                profile.key_command.is_some(),
            ];
            if kinds.into_iter().filter(|is_set| *is_set).count() > 1 {
                let what = format!("servers.{name}: set only one of key, key_env and key_command");
                return Err(ConfigError::new(what).into());
            }
            if let Some(base_url) = &profile.base_url {
                let parsed: Result<BaseUrl, _> = base_url.parse();
                parsed.map_err(|error| {
                    ConfigError::new(format!("servers.{name}.base_url: {error}"))
                })?;
            }
            if let Some(like) = &profile.like
                && BuiltIn::find(like).is_none()
            {
                let what = format!(
                    "servers.{name}.like: {like:?} is not a built-in profile; those are {}",
                    names(BUILT_IN.iter().map(|row| row.name))
                );
                return Err(ConfigError::new(what).into());
            }
        }
        if let Some(default) = &profiles.default {
            let found = profiles.get(default);
            found.map_err(|error| ConfigError::new("default: cannot be used").because(error))?;
        }
        Ok(profiles)
    }

    /// A server of the file, or a built-in one. A server of the file without `like` that has the name of a built-in
    /// one begins with that.
    ///
    /// # Errors
    /// An unknown name; the error lists the known ones.
    pub fn get(&self, name: &str) -> Result<Profile, Error> {
        let own = self.servers.get(name);
        let like = own.and_then(|own| own.like.as_deref()).unwrap_or(name);
        let base = BuiltIn::find(like).map(BuiltIn::to_profile);
        match (own, base) {
            (Some(own), Some(base)) => Ok(own.clone().over(base)),
            (Some(own), None) => Ok(own.clone()),
            (None, Some(base)) => Ok(base),
            (None, None) => {
                let known = self.names();
                let what = format!(
                    "no server is named {name:?}; the names are {}",
                    names(known.iter().map(String::as_str))
                );
                Err(ConfigError::new(what).into())
            }
        }
    }

    /// Names of all servers: those of the file, then the built-in ones.
    pub fn names(&self) -> Vec<String> {
        let built_in = BUILT_IN.iter().map(|row| row.name);
        let built_in = built_in.filter(|name| !self.servers.contains_key(*name));
        let own = self.servers.keys().cloned();
        own.chain(built_in.map(str::to_owned)).collect()
    }

    /// Whether a profile holds a key.
    pub(super) fn has_key(&self) -> bool {
        let mut servers = self.servers.values();
        servers
            .any(|profile| profile.key_source() == KeySource::Inline || !profile.headers.is_empty())
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// An error of the parser with its line, without the text of that line, which may be a key.
fn refusal(text: &str, error: &toml::de::Error) -> Error {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let setting = line.split('=').next().unwrap_or_default().trim();
    let may_be_secret = setting.rsplit('.').next() == Some("key");
    let message = if may_be_secret {
        "write key = \"...\" with a text"
    } else {
        error.message()
    };
    ConfigError::new(format!("line {number}: {message}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Profiles::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn unknown_settings_are_named_with_their_line() {
        let text = "default = \"a\"\n\n[servers.a]\nbase_url = \"http://h\"\nbase_ulr = \"x\"\n";
        let error = refused(text);
        assert!(
            error.starts_with("line 5: ") && error.contains("base_ulr"),
            "{error}"
        );
        assert!(refused("severs = 1").contains("severs"));
        let error = refused("[servers.a]\nwire = \"xml\"");
        assert!(
            error.contains("line 2") && error.contains("auto, json, protobuf"),
            "{error}"
        );
        let error = refused("[servers.a.limits.sample]\nspeed = 1");
        assert!(
            error.contains("line 2") && error.contains("speed"),
            "{error}"
        );
    }

    #[test]
    fn no_error_repeats_a_key() {
        for text in [
            "[servers.a]\nkey = hunter2",
            "[servers.a]\nkey = 12345",
            "servers.a.key = hunter2",
        ] {
            let error = format!("{:?}", Profiles::parse(text).unwrap_err());
            assert!(
                !error.contains("hunter2") && !error.contains("12345"),
                "{error}"
            );
        }
        let profiles =
            Profiles::parse("[servers.a]\nkey = \"hunter2\"\nheaders.X-Pass = \"hunter2\"")
                .unwrap();
        assert!(!format!("{profiles:?}").contains("hunter2"));
    }

    #[test]
    fn a_profile_begins_with_the_one_it_is_like() {
        let text = "[servers.a]\nlike = \"tuft\"\nkey = \"tml-1\"\nbase_url = \"http://h:1\"\n[servers.skyrl]\nbase_url = \"http://g:2\"";
        let profiles = Profiles::parse(text).unwrap();
        let config = profiles.get("a").unwrap().to_config().unwrap();
        assert_eq!(config.base_url, "http://h:1");
        assert_eq!(config.api_key.unwrap().expose(), "tml-1");
        assert_eq!(config.dialect.wire, crate::Wire::Protobuf);
        let config = profiles.get("skyrl").unwrap().to_config().unwrap();
        assert_eq!(config.base_url, "http://g:2");
        assert_eq!(config.dialect.forward_only, crate::ForwardOnly::Flag);
        let error = profiles.get("nowhere").unwrap_err().to_string();
        assert!(error.contains("a, skyrl, hosted"), "{error}");
    }

    #[test]
    fn contradictions_are_refused() {
        for (text, part) in [
            (
                "[servers.a]\nkey = \"x\"\nkey_env = \"Y\"",
                "only one of key",
            ),
            ("[servers.a]\nlike = \"none\"", "not a built-in profile"),
            ("default = \"none\"", "default"),
            (
                "[servers.a]\nbase_url = \"h:1\"",
                "servers.a.base_url: the base URL has no http://",
            ),
        ] {
            assert!(refused(text).contains(part), "{}", refused(text));
        }
        for (text, part) in [
            ("[servers.a]\nbase_url = \"http://h\"\nhedge = 2.0", "hedge"),
            (
                "[servers.a]\nbase_url = \"http://h\"\nclient_key = \"k\"",
                "belong together",
            ),
            (
                "[servers.a]\nbase_url = \"http://h\"\nca = \"/nowhere\"",
                "/nowhere",
            ),
            (
                "[servers.a]\nbase_url = \"http://h\"\nlimits.all.timeout = 1",
                "limits.all",
            ),
            ("[servers.a]\nkey = \"x\"", "base_url"),
        ] {
            let profile = Profiles::parse(text).unwrap().get("a").unwrap();
            let error = profile.to_config().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_template_names_settings_that_exist() {
        let uncommented: String = super::super::TEMPLATE
            .lines()
            .skip(2)
            .map(|line| line.strip_prefix("# ").unwrap_or_default().to_owned() + "\n")
            .filter(|line| !line.starts_with("client_"))
            .collect();
        let profiles = Profiles::parse(&uncommented).unwrap();
        assert_eq!(profiles.default.as_deref(), Some("work"));
        let profile = profiles.get("work").unwrap();
        assert_eq!(profile.limits["sample"].timeout, Some(60));
        assert!(
            Profiles::parse(super::super::TEMPLATE)
                .unwrap()
                .servers
                .is_empty()
        );
    }
}
