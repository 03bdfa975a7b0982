//! The choice of a server: options, environment, profiles, a running `tinker serve`.

use std::fmt;

use anyhow::Context as _;
use tinker_client::profile::{BuiltIn, InertOption, ProfileFile, Profiles};
use tinker_client::transport::{BaseUrl, Proxy, system_proxy, without_user};
use tinker_client::{Config, OFFICIAL_BASE_URL};

use crate::exit::Usage;

/// A chosen server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) origin: Origin,
    /// The row of the built-in profile, if one was chosen or extended.
    pub(crate) row: Option<&'static BuiltIn>,
}

/// The setting that named the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `--base-url`.
    Option,
    /// `--server`, with the name of the profile.
    Profile(String),
    /// A variable.
    Environment(&'static str),
    /// `default` of the profile file, with the name of the profile.
    Default(String),
    /// The address file of a running `tinker serve`, with its process.
    #[cfg(feature = "local")]
    Running(u32),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => f.write_str("--base-url"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Environment(variable) => f.write_str(variable),
            Self::Default(name) => write!(f, "profile {name}, the default"),
            #[cfg(feature = "local")]
            Self::Running(process) => {
                write!(
                    f,
                    "`tinker serve`, process {process}; --local uses the built-in engine"
                )
            }
        }
    }
}

impl Server {
    /// The server that options, environment or profiles name; `None` if none does.
    pub(crate) fn named(
        base_url: Option<&str>,
        profile: Option<&str>,
    ) -> anyhow::Result<Option<Self>> {
        if let Some(name) = profile {
            return Self::of_profile(name, &profiles()?, Origin::Profile(name.to_owned()))
                .map(Some);
        }
        let mut config = Config::from_env()?;
        if let Some(url) = base_url {
            url.clone_into(&mut config.base_url);
            return Self::checked(config, Origin::Option).map(Some);
        }
        let variable = if config.base_url != OFFICIAL_BASE_URL {
            Some("TINKER_BASE_URL")
        } else if is_set("TINKER_API_KEY") {
            Some("TINKER_API_KEY")
        } else if config.credential_command.is_some() {
            Some("TINKER_CREDENTIAL_CMD")
        } else {
            None
        };
        if let Some(variable) = variable {
            return Self::checked(config, Origin::Environment(variable)).map(Some);
        }
        let profiles = profiles()?;
        if let Some(name) = &profiles.default {
            return Self::of_profile(name, &profiles, Origin::Default(name.clone())).map(Some);
        }
        if config.api_key.is_some() {
            return Self::checked(config, Origin::Environment("the stored key")).map(Some);
        }
        Ok(None)
    }

    /// The server of a running `tinker serve` of this user, if there is one.
    #[cfg(feature = "local")]
    pub(crate) fn running() -> Option<Self> {
        use crate::address::ServerAddress;

        let address = ServerAddress::read(&ServerAddress::path()?)?;
        let config = Config::new(address.url);
        let mut server = Self::checked(config, Origin::Running(address.pid)).ok()?;
        server.row = BuiltIn::find("local");
        Some(server)
    }

    fn of_profile(name: &str, profiles: &Profiles, origin: Origin) -> anyhow::Result<Self> {
        let usage = |error: tinker_client::Error| Usage(format!("server {name:?}: {error}"));
        let profile = match profiles.get(name) {
            Ok(profile) => profile,
            Err(error) => return Err(Usage(error.to_string()).into()),
        };
        let config = profile.to_config().map_err(usage)?;
        let mut server = Self::checked(config, origin)?;
        server.row = profile.like.as_deref().and_then(BuiltIn::find);
        Ok(server)
    }

    /// An address that cannot work, or that holds a password, is refused before anything is printed or sent.
    fn checked(config: Config, origin: Origin) -> anyhow::Result<Self> {
        let parsed: Result<BaseUrl, _> = config.base_url.parse();
        parsed.map_err(|error| Usage(format!("{origin}: {error}")))?;
        let row = config
            .is_official()
            .then(|| BuiltIn::find("hosted"))
            .flatten();
        Ok(Self {
            config,
            origin,
            row,
        })
    }

    /// The proxy on the way to the server, without name and password.
    pub(crate) fn proxy(&self) -> Option<String> {
        proxy_of(&self.config)
    }

    /// Options that have no effect on this server.
    pub(crate) fn inert_options(&self) -> &'static [InertOption] {
        self.row.map_or(&[], |row| row.inert)
    }
}

/// The proxy on the way to the server of a configuration, without name and password.
pub(super) fn proxy_of(config: &Config) -> Option<String> {
    match &config.proxy {
        Proxy::System => system_proxy(&config.base_url.parse().ok()?),
        Proxy::Url(url) => Some(without_user(url)),
        _ => None,
    }
}

/// The profiles of the user.
pub(crate) fn profiles() -> anyhow::Result<Profiles> {
    let file = ProfileFile::of_user();
    let profiles = file.map_or_else(|| Ok(Profiles::default()), |file| file.read());
    profiles.context("the profile file cannot be used")
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}
