//! The service of a management command: a server, or the checkpoints of the built-in engine.

use std::path::PathBuf;

use tinker_client::ServiceClient;

use super::args::ServerArgs;
use super::connection::Connection;
use super::narrator::Narration;
use crate::context::Context;
#[cfg(not(feature = "local"))]
use crate::exit::Usage;

/// Options that select whose runs and checkpoints a command manages.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct ServiceArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Use the checkpoints of the built-in engine, even if the environment or a profile names a server.
    #[arg(long, conflicts_with_all = ["base_url", "server"])]
    local: bool,
    /// Folder of checkpoints of the built-in engine [default: ~/.tinker/local].
    #[arg(long, value_name = "DIR", conflicts_with_all = ["base_url", "server"])]
    data_dir: Option<PathBuf>,
}

/// An open service. Waits are explained on stderr while it lives.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) client: ServiceClient,
    /// The address of the server, or the engine, for messages.
    pub(crate) name: String,
    _narration: Narration,
}

impl ServiceArgs {
    /// Opens the service and prints its name. Nothing is sent.
    pub(crate) fn open(&self, context: &Context) -> anyhow::Result<Service> {
        Ok(self.open_with(None, context)?.0)
    }

    /// Opens the service for work on a model, and returns the name that the service has for it. The engine in this process
    /// loads the model if it is a folder.
    pub(crate) fn open_with_model(
        &self,
        model: &str,
        context: &Context,
    ) -> anyhow::Result<(Service, String)> {
        self.open_with(Some(model), context)
    }

    fn open_with(
        &self,
        model: Option<&str>,
        context: &Context,
    ) -> anyhow::Result<(Service, String)> {
        let printer = context.printer;
        let is_engine = self.local || self.data_dir.is_some();
        if !is_engine && let Some(server) = self.server.find()? {
            let shown = server.config.shown_base_url();
            let line = format!("{shown} ({})", server.origin);
            printer.print_labelled("server", &line);
            let client = ServiceClient::new(server.config)?;
            let service = Service {
                _narration: Connection::watch(&client, &shown, printer),
                client,
                name: shown,
            };
            return Ok((service, model.unwrap_or_default().to_owned()));
        }
        let (client, folder, model) = self.engine(model.unwrap_or_default())?;
        let name = format!("the built-in engine, data in {folder}");
        printer.print_labelled("using", &name);
        let service = Service {
            _narration: Connection::watch(&client, "the built-in engine", printer),
            client,
            name,
        };
        Ok((service, model))
    }

    /// A client of the engine, its folder for people, and the name that it has for a model.
    #[cfg(feature = "local")]
    fn engine(&self, model: &str) -> anyhow::Result<(ServiceClient, String, String)> {
        use super::engine;

        let folder = engine::data_dir(self.data_dir.as_deref())?;
        let mut builder = tinker_local::LocalEngine::builder().data_dir(&folder);
        if let Some(model) = engine::folder(model) {
            builder = builder.model(model);
        }
        let engine = anyhow::Context::context(builder.build(), "cannot start the built-in engine")?;
        let name = engine::name_in(&engine, model).unwrap_or_else(|| model.to_owned());
        Ok((engine::client(&engine)?, crate::format::path(&folder), name))
    }

    #[cfg(not(feature = "local"))]
    fn engine(&self, _: &str) -> anyhow::Result<(ServiceClient, String, String)> {
        let message = "this build has no engine; name a server with --server or --base-url";
        Err(Usage(message.to_owned()).into())
    }
}
