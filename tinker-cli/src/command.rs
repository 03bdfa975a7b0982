//! The subcommands: one file each, with its `Args` and `run`.

pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod billing;
pub(crate) mod checkpoint;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod data;
pub(crate) mod doctor;
#[cfg(feature = "local")]
pub(crate) mod export;
#[cfg(feature = "local")]
pub(crate) mod handover;
pub(crate) mod man;
pub(crate) mod model;
pub(crate) mod project;
pub(crate) mod pull;
pub(crate) mod run;
pub(crate) mod sample;
#[cfg(feature = "local")]
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod train;
pub(crate) mod unload;
pub(crate) mod version;
pub(crate) mod wait;

use crate::context::Context;
use crate::interrupt::stoppable;

/// A subcommand with its arguments.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Train(Box<train::TrainArgs>),
    Sample(Box<sample::Args>),
    Data(Box<data::Args>),
    #[cfg(feature = "local")]
    Serve(serve::Args),
    #[cfg(feature = "local")]
    Export(export::Args),
    #[cfg(feature = "local")]
    Handover(handover::Args),
    Run(run::Args),
    Checkpoint(Box<checkpoint::Args>),
    Session(Box<session::Args>),
    Model(model::Args),
    Project(project::Args),
    Billing(Box<billing::Args>),
    Audit(audit::Args),
    Wait(wait::Args),
    Unload(unload::Args),
    Pull(pull::Args),
    Doctor(doctor::Args),
    Config(config::Args),
    Auth(auth::Args),
    Completions(completions::Args),
    Man(man::Args),
    /// Print the version.
    Version,
}

/// Runs a subcommand. `line` describes the whole command line.
pub(crate) async fn run(
    command: Command,
    line: clap::Command,
    context: &Context,
) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => Box::pin(train::run(*args, context)).await,
        Command::Sample(args) => Box::pin(sample::run(*args, context)).await,
        Command::Data(args) => Box::pin(data::run(*args, context)).await,
        #[cfg(feature = "local")]
        Command::Serve(args) => serve::run(args, context).await,
        #[cfg(feature = "local")]
        Command::Export(args) => export::run(&args, context),
        #[cfg(feature = "local")]
        Command::Handover(args) => Box::pin(handover::run(args, context)).await,
        Command::Run(args) => stoppable(&context.interrupt, run::run(args, context)).await,
        Command::Checkpoint(args) => Box::pin(checkpoint::run(*args, context)).await,
        Command::Session(args) => stoppable(&context.interrupt, session::run(*args, context)).await,
        Command::Model(args) => stoppable(&context.interrupt, model::run(args, context)).await,
        Command::Project(args) => Box::pin(project::run(args, context)).await,
        Command::Billing(args) => stoppable(&context.interrupt, billing::run(*args, context)).await,
        Command::Audit(args) => stoppable(&context.interrupt, audit::run(args, context)).await,
        Command::Wait(args) => Box::pin(wait::run(args, context)).await,
        Command::Unload(args) => Box::pin(unload::run(args, context)).await,
        Command::Pull(args) => Box::pin(pull::run(args, context)).await,
        Command::Doctor(args) => Box::pin(doctor::run(args, context)).await,
        Command::Config(args) => config::run(&args, context),
        Command::Auth(args) => Box::pin(auth::run(args, context)).await,
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args, line),
        Command::Version => version::run(context),
    }
}
