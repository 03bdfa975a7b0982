//! The engine inside this program.

use anyhow::Context as _;
use tinker_local::LocalEngine;

use crate::connect::EngineArgs;

/// Starts the engine on its folder of checkpoints.
pub(crate) fn start(args: &EngineArgs) -> anyhow::Result<LocalEngine> {
    let folder = args.data_dir();
    let folder =
        folder.context("there is no home folder for checkpoints; choose one with --data-dir")?;
    let mut builder = LocalEngine::builder().data_dir(folder);
    if let Some(threads) = args.threads {
        builder = builder.threads(threads.get());
    }
    builder.build().context("cannot start the built-in engine")
}
