//! `tinker train`: fine-tuning.

mod adapter;
mod args;
mod cache;
mod check;
mod common;
mod continued;
mod cost;
mod dpo;
mod encoded;
mod estimate;
mod given;
mod job;
mod list;
mod pace;
mod past;
mod plan;
mod preview;
mod prune;
mod rate;
mod recipe_file;
mod recipe_run;
mod recipe_summary;
mod record;
mod resolve;
mod resume;
mod rl;
mod rows;
mod run;
mod run_args;
mod run_folder;
mod runner;
mod setting;
mod source;
mod split;
mod start;
mod suggest;
mod summary;
mod view;

use crate::context::Context;

#[cfg(feature = "local")]
pub(crate) use adapter::Adapter;
pub(crate) use args::Args;
pub(crate) use past::Past;
#[cfg(feature = "local")]
pub(crate) use run_folder::SUMMARY;
pub(crate) use run_folder::folder_error;

/// Fine-tune a model on examples, and show what it learned.
///
/// Samples answers to held-out prompts before and after training, and prints them side by side.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct TrainArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    args: Args,
}

/// A subcommand of `tinker train`. A data file with the name of one is given as `./resume`.
#[derive(Debug, clap::Subcommand)]
enum Command {
    Dpo(Box<dpo::Args>),
    Rl(Box<rl::Args>),
    Resume(resume::Args),
    List(list::ListArgs),
    Show(list::ShowArgs),
    Diff(list::DiffArgs),
    Prune(prune::PruneArgs),
}

/// Runs the subcommand, or trains on the data.
pub(crate) async fn run(args: TrainArgs, context: &Context) -> anyhow::Result<()> {
    match args.command {
        None => {
            let (mut args, given, context) = resolve::resolve::<Args>("supervised", context)?;
            args.run.given = given;
            Box::pin(run::run(args, None, &context)).await
        }
        Some(Command::Dpo(_)) => {
            let (mut args, given, context) = resolve::resolve::<dpo::Args>("dpo", context)?;
            args.common.run.given = given;
            Box::pin(dpo::run(args, None, &context)).await
        }
        Some(Command::Rl(_)) => {
            let (mut args, given, context) = resolve::resolve::<rl::Args>("rl", context)?;
            args.common.run.given = given;
            Box::pin(rl::run(args, None, &context)).await
        }
        Some(Command::List(args)) => list::list(&args, context),
        Some(Command::Show(args)) => list::show(&args, context),
        Some(Command::Diff(args)) => list::diff(&args, context),
        Some(Command::Prune(args)) => Box::pin(prune::prune(&args, context)).await,
        Some(Command::Resume(args)) => Box::pin(resume::run(args, context)).await,
    }
}
