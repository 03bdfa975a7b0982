//! Destination of a command, resolved from the options and the environment.

use std::path::PathBuf;

use tinker_client::Config;

use super::args::DestinationArgs;
use super::server::{Origin, Server};
use super::template::TemplateArgs;
use crate::context::Context;
use crate::exit::Usage;
use crate::printer::Printer;

/// Options of the engine in this process.
pub(crate) const ENGINE_OPTIONS: [&str; 4] = ["--data-dir", "--threads", "--context", "--decode"];

/// Where a command runs: a server, or the engine inside this program.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(super) kind: Kind,
    pub(super) tokenizer: Option<PathBuf>,
    pub(super) template: TemplateArgs,
}

/// The kinds of destinations.
#[derive(Debug)]
pub(super) enum Kind {
    Server(Box<Config>),
    #[cfg(feature = "local")]
    Engine(super::engine::EngineSetup),
}

impl Destination {
    /// Resolves the destination and prints it. Without a server in the options, the environment or the profiles, and
    /// without a running one, it is the built-in engine, which loads `model` if that is a folder or a checkpoint of one.
    pub(crate) fn resolve(
        args: &DestinationArgs,
        model: Option<&str>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let printer = context.printer;
        let kind = match server(args, model, context)? {
            Some(server) => {
                refuse_inert(&server, context)?;
                printer.print_labelled("server", &describe(&server));
                Kind::Server(Box::new(server.config))
            }
            None => engine(args, model, printer)?,
        };
        Ok(Self {
            kind,
            tokenizer: args.tokenizer.clone(),
            template: args.template.clone(),
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

/// The address of the server, what named it, and the proxy in between, for people.
fn describe(server: &Server) -> String {
    let mut text = server.config.shown_base_url();
    if let Some(proxy) = server.proxy() {
        text += &format!(", through the proxy {proxy}");
    }
    if server.origin != Origin::Option {
        text += &format!(" ({})", server.origin);
    }
    text
}

/// The chosen server. A running `tinker serve` is used only if nothing asks for the engine in this process.
fn server(
    args: &DestinationArgs,
    model: Option<&str>,
    context: &Context,
) -> anyhow::Result<Option<Server>> {
    if args.local {
        return Ok(None);
    }
    let typed = ENGINE_OPTIONS
        .into_iter()
        .find(|name| context.has_typed(name));
    if let Some(server) = args.server.named()? {
        if let Some(option) = typed {
            let message = format!(
                "{option} is an option of the built-in engine, but the destination is {} ({}); add --local, or leave the option out",
                server.config.shown_base_url(),
                server.origin
            );
            return Err(Usage(message).into());
        }
        return Ok(Some(server));
    }
    let is_folder = model.is_some_and(|model| std::path::Path::new(model).is_dir());
    if typed.is_some() || is_folder {
        return Ok(None);
    }
    args.server.find()
}

/// Refuses typed options that have no effect on the server, and notes defaults that have none.
fn refuse_inert(server: &Server, context: &Context) -> anyhow::Result<()> {
    let name = server.row.map_or("the server", |row| row.title);
    for inert in server.inert_options() {
        if context.has_typed(inert.option) {
            let message = format!("{} has no effect on {name}: {}", inert.option, inert.why);
            return Err(Usage(message).into());
        }
        if inert.has_default && context.offers(inert.option) {
            let note = format!(
                "the default of {} has no effect on {name}: {}",
                inert.option, inert.why
            );
            context.printer.print_note(&note);
        }
    }
    Ok(())
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
        "no server is named or running: "
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
