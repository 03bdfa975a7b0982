//! One file for each command: its `Args`, and `run`.

pub(crate) mod completions;
#[cfg(feature = "local")]
pub(crate) mod export;
pub(crate) mod sample;
#[cfg(feature = "local")]
pub(crate) mod serve;
pub(crate) mod train;
pub(crate) mod version;

use clap::CommandFactory as _;

use crate::args::{Arguments, Command};
use crate::context::Context;

/// Does what the command line asks for.
pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => Box::pin(train::run(*args, context)).await,
        Command::Sample(args) => Box::pin(sample::run(*args, context)).await,
        #[cfg(feature = "local")]
        Command::Serve(args) => serve::run(args, context).await,
        #[cfg(feature = "local")]
        Command::Export(args) => export::run(&args, context),
        Command::Completions(args) => completions::run(&args, Arguments::command()),
        Command::Version => version::run(context),
    }
}
