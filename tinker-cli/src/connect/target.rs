//! What a command will connect to: settled, and said, before anything else is done.

use std::path::PathBuf;

use tinker_client::{Config, OFFICIAL_BASE_URL};

use super::PlaceArgs;
use crate::exit::Usage;
use crate::talk::Talk;

/// What a command will connect to.
#[derive(Debug)]
pub(crate) struct Target {
    pub(super) end: End,
    pub(super) tokenizer: Option<PathBuf>,
}

/// The other end of a connection to come.
#[derive(Debug)]
pub(super) enum End {
    Server(Box<Config>),
    #[cfg(feature = "local")]
    Local(super::local::Choice),
}

impl Target {
    /// The place the options or else the environment name; says which one that is. Where neither names a server, it is
    /// the built-in engine, which loads `model` if that is a folder or a checkpoint of one.
    pub(crate) fn choose(
        args: &PlaceArgs,
        model: Option<&str>,
        talk: Talk,
    ) -> anyhow::Result<Self> {
        let server = if args.local { None } else { server(args)? };
        let end = match server {
            Some(config) => {
                talk.tell("server", &config.base_url);
                End::Server(Box::new(config))
            }
            None => local(args, model, talk)?,
        };
        Ok(Self {
            end,
            tokenizer: args.tokenizer.clone(),
        })
    }

    /// The same, for a command that needs no checkpoint of the built-in engine: another program may use their folder
    /// meanwhile.
    pub(crate) fn without_checkpoints(mut self) -> Self {
        match &mut self.end {
            End::Server(_) => {}
            #[cfg(feature = "local")]
            End::Local(choice) => choice.has_checkpoints = false,
        }
        self
    }
}

fn server(args: &PlaceArgs) -> anyhow::Result<Option<Config>> {
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
            "--data-dir, --threads and --context are for the built-in engine, but {} is to be used; add --local",
            config.base_url
        );
        return Err(Usage(message).into());
    }
    Ok(Some(config))
}

#[cfg(feature = "local")]
fn local(args: &PlaceArgs, model: Option<&str>, talk: Talk) -> anyhow::Result<End> {
    let mut choice = super::local::Choice::new(&args.engine)?;
    if let Some(model) = model {
        choice.add_for(model)?;
    }
    let why = if args.local {
        ""
    } else {
        "no TINKER_API_KEY or TINKER_BASE_URL set: "
    };
    talk.say(&format!(
        "{why}using the local engine ({})",
        choice.describe()
    ));
    Ok(End::Local(choice))
}

#[cfg(not(feature = "local"))]
fn local(_: &PlaceArgs, _: Option<&str>, _: Talk) -> anyhow::Result<End> {
    let message =
        "this build has no engine of its own; name a server with --base-url or TINKER_BASE_URL";
    Err(Usage(message.to_owned()).into())
}
