//! What a command will connect to: settled, and said, before anything else is done.

use std::path::PathBuf;

use tinker_client::{Config, OFFICIAL_BASE_URL};

use super::{BUILT_IN_MODEL, EngineArgs, PlaceArgs};
use crate::exit::Usage;
use crate::talk::Talk;
use crate::words;

/// What a command will connect to.
#[derive(Debug)]
pub(crate) struct Target {
    /// The settings for a server; `None` means the built-in engine.
    pub(super) config: Option<Config>,
    pub(super) engine: EngineArgs,
    /// The built-in engine is to have its folder of checkpoints.
    pub(super) has_checkpoints: bool,
    pub(super) tokenizer: Option<PathBuf>,
}

impl Target {
    /// The place the options or else the environment name; says which one that is. Where neither names a server, it is
    /// the built-in engine.
    pub(crate) fn choose(args: &PlaceArgs, talk: Talk) -> anyhow::Result<Self> {
        let engine = args.engine.clone();
        let config = if args.local { None } else { server(args)? };
        if let Some(config) = &config {
            talk.tell("server", &config.base_url);
        } else {
            let folder = engine.data_dir().map(|folder| words::path(&folder));
            let folder = folder.unwrap_or_else(|| "an unknown folder".to_owned());
            let why = if args.local {
                ""
            } else {
                "no TINKER_API_KEY or TINKER_BASE_URL set: "
            };
            talk.say(&format!(
                "{why}using the local engine (built-in model {BUILT_IN_MODEL}, data in {folder})"
            ));
        }
        Ok(Self {
            config,
            has_checkpoints: true,
            engine,
            tokenizer: args.tokenizer.clone(),
        })
    }

    /// The same, for a command that needs no checkpoint of the built-in engine: another may use the folder meanwhile.
    pub(crate) fn without_checkpoints(mut self) -> Self {
        self.has_checkpoints = false;
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
    if args.engine.data_dir.is_some() || args.engine.threads.is_some() {
        let message = format!(
            "--data-dir and --threads are for the built-in engine, but {} is to be used; add --local",
            config.base_url
        );
        return Err(Usage(message).into());
    }
    Ok(Some(config))
}
