//! The engine inside this program.

use anyhow::Context as _;
use tinker_local::LocalEngine;

use crate::connect::EngineArgs;

/// Starts the engine, on its folder of checkpoints or on a temporary one.
pub(crate) fn start(args: &EngineArgs, has_checkpoints: bool) -> anyhow::Result<LocalEngine> {
    let mut builder = LocalEngine::builder();
    if has_checkpoints {
        let missing = "there is no home folder for checkpoints; choose a folder with --data-dir";
        builder = builder.data_dir(args.data_dir().context(missing)?);
    }
    if let Some(threads) = args.threads {
        builder = builder.threads(threads.get());
    }
    builder.build().context("cannot start the built-in engine")
}
