//! Destination of a command, resolved from the options and the environment.

use std::path::PathBuf;

use tinker_client::transport::{BaseUrl, system_proxy};
use tinker_client::{Config, OFFICIAL_BASE_URL};

use super::args::DestinationArgs;
use crate::exit::Usage;
use crate::printer::Printer;

/// Where a command runs: a server, or the engine inside this program.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(super) kind: Kind,
    pub(super) tokenizer: Option<PathBuf>,
}

/// The kinds of destinations.
#[derive(Debug)]
pub(super) enum Kind {
    Server(Box<Config>),
    #[cfg(feature = "local")]
    Engine(super::engine::EngineSetup),
}

impl Destination {
    /// Resolves the destination and prints it. Without a server in the options or the environment, it is the built-in
    /// engine, which loads `model` if that is a folder or a checkpoint of one.
    pub(crate) fn resolve(
        args: &DestinationArgs,
        model: Option<&str>,
        printer: Printer,
    ) -> anyhow::Result<Self> {
        let server = if args.local { None } else { server(args)? };
        let kind = match server {
            Some(config) => {
                printer.print_labelled("server", &describe(&config)?);
                Kind::Server(Box::new(config))
            }
            None => engine(args, model, printer)?,
        };
        Ok(Self {
            kind,
            tokenizer: args.tokenizer.clone(),
        })
    }

    /// The same destination without checkpoints of the built-in engine, so that another program can use their folder.
    pub(crate) fn without_checkpoints(mut self) -> Self {
        match &mut self.kind {
            Kind::Server(_) => {}
            #[cfg(feature = "local")]
            Kind::Engine(setup) => setup.has_checkpoints = false,
        }
        self
    }
}

/// The address of the server and the proxy in between, for people. An address that holds a password is refused.
fn describe(config: &Config) -> anyhow::Result<String> {
    let parsed: Result<BaseUrl, _> = config.base_url.parse();
    let server = parsed.map_err(|error| Usage(error.to_string()))?;
    Ok(match system_proxy(&server) {
        Some(proxy) => format!("{server}, through the proxy {proxy}"),
        None => server.to_string(),
    })
}

fn server(args: &DestinationArgs) -> anyhow::Result<Option<Config>> {
    let mut config = Config::from_env()?;
    if let Some(url) = &args.base_url {
        config.base_url.clone_from(url);
    }
    let is_named = args.base_url.is_some()
        || config.base_url != OFFICIAL_BASE_URL
        || config.api_key.is_some()
        || config.credential_command.is_some();
    if !is_named {
        return Ok(None);
    }
    let engine = &args.engine;
    if engine.data_dir.is_some() || engine.threads.is_some() || engine.context.is_some() {
        let message = format!(
            "--data-dir, --threads and --context are options of the built-in engine, but the destination is {}; add --local",
            config.base_url
        );
        return Err(Usage(message).into());
    }
    Ok(Some(config))
}

#[cfg(feature = "local")]
fn engine(args: &DestinationArgs, model: Option<&str>, printer: Printer) -> anyhow::Result<Kind> {
    let mut setup = super::engine::EngineSetup::new(&args.engine)?;
    if let Some(model) = model {
        setup.load(model)?;
    }
    let why = if args.local {
        ""
    } else {
        "no TINKER_API_KEY or TINKER_BASE_URL set: "
    };
    printer.print_line(&format!(
        "{why}using the local engine ({})",
        setup.describe()
    ));
    Ok(Kind::Engine(setup))
}

#[cfg(not(feature = "local"))]
fn engine(_: &DestinationArgs, _: Option<&str>, _: Printer) -> anyhow::Result<Kind> {
    let message = "this build has no engine; name a server with --base-url or TINKER_BASE_URL";
    Err(Usage(message.to_owned()).into())
}
