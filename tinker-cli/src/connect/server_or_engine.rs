//! A server or the built-in engine, without the setup for a command's model.

use tinker_client::{ServiceClient, ServiceClientBuilder};

use super::args::ServerArgs;
use super::server::Server;
#[cfg(not(feature = "local"))]
use crate::exit::Usage;

/// A server, or the engine with its built-in model.
#[derive(Debug)]
pub(crate) enum ServerOrEngine {
    Server(Box<Server>),
    #[cfg(feature = "local")]
    Engine,
}

impl ServerOrEngine {
    /// The server that options, environment and profiles name, else a running one, else the engine.
    pub(crate) fn of(args: &ServerArgs) -> anyhow::Result<Self> {
        match args.find()? {
            Some(server) => Ok(Self::Server(Box::new(server))),
            #[cfg(feature = "local")]
            None => Ok(Self::Engine),
            #[cfg(not(feature = "local"))]
            None => Err(Usage("name a server with --server or --base-url".to_owned()).into()),
        }
    }

    /// A client; `change` sees its builder.
    pub(crate) fn client(
        &self,
        change: impl FnOnce(ServiceClientBuilder) -> ServiceClientBuilder,
    ) -> anyhow::Result<ServiceClient> {
        let builder = ServiceClient::builder();
        let builder = match self {
            Self::Server(server) => builder.config(server.config.clone()),
            #[cfg(feature = "local")]
            Self::Engine => builder.leaf(tinker_local::LocalEngine::builtin()?.service()),
        };
        Ok(change(builder).build()?)
    }

    /// One line for people: the address, and the setting that named it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Server(server) => {
                format!("{} ({})", server.config.shown_base_url(), server.origin)
            }
            #[cfg(feature = "local")]
            Self::Engine => "the built-in engine (no server is named or running)".to_owned(),
        }
    }

    /// The address, for messages.
    pub(crate) fn base_url(&self) -> &str {
        match self {
            Self::Server(server) => &server.config.base_url,
            #[cfg(feature = "local")]
            Self::Engine => "the built-in engine",
        }
    }

    /// Name and version of the server, or its address.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Server(server) => match server.row {
                Some(row) => row.title.to_owned(),
                None => server.config.shown_base_url(),
            },
            #[cfg(feature = "local")]
            Self::Engine => "tinker, the built-in engine".to_owned(),
        }
    }

    /// How the key is found, in words.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Server(server) => {
                match (&server.config.api_key, &server.config.credential_command) {
                    (Some(_), _) => "set",
                    (None, Some(_)) => "printed by a command",
                    (None, None) => "none",
                }
            }
            #[cfg(feature = "local")]
            Self::Engine => "none is needed",
        }
    }
}
