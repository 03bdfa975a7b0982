//! The engine inside this program.

use std::path::PathBuf;

use anyhow::Context as _;
use tinker_client::{Config, ServiceClient};
use tinker_local::LocalEngine;

use super::{BUILT_IN_MODEL, EngineArgs};
use crate::words;

/// The engine that will be started.
#[derive(Debug)]
pub(crate) struct Choice {
    data_dir: PathBuf,
    threads: Option<usize>,
    /// It gets its folder of checkpoints; otherwise it makes do with a temporary one.
    pub(super) has_checkpoints: bool,
}

impl Choice {
    /// As the options say.
    pub(crate) fn new(args: &EngineArgs) -> anyhow::Result<Self> {
        let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let folder = args
            .data_dir
            .clone()
            .or_else(|| Some(home()?.join(".tinker").join("local")));
        let missing = "there is no home folder for checkpoints; choose a folder with --data-dir";
        Ok(Self {
            data_dir: folder.context(missing)?,
            threads: args.threads.map(std::num::NonZeroUsize::get),
            has_checkpoints: true,
        })
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        format!(
            "built-in model {BUILT_IN_MODEL}, data in {}",
            words::path(&self.data_dir)
        )
    }

    /// Starts it.
    pub(crate) fn start(self) -> anyhow::Result<LocalEngine> {
        let mut builder = LocalEngine::builder();
        if self.has_checkpoints {
            builder = builder.data_dir(self.data_dir);
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads);
        }
        builder.build().context("cannot start the built-in engine")
    }
}

/// A client of an engine in the same process.
pub(super) fn client(engine: &LocalEngine) -> anyhow::Result<ServiceClient> {
    // The settings of a server in the environment, its key among them, are none of the engine's business.
    let config = Config::new("http://local");
    Ok(ServiceClient::builder()
        .config(config)
        .leaf(engine.service())
        .build()?)
}
