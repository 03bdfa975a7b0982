//! `tinker data`: check, show, convert and split data files.

mod check;
mod convert;
mod show;
mod split;
mod target;

use crate::context::Context;

/// Check, show, convert and split data files.
///
/// Files are JSON Lines, one JSON list, CSV or TSV with a header, or Parquet, also compressed with gzip or zstd; `-` is
/// standard input. Rows are prompts with completions, chats (OpenAI, ShareGPT, Alpaca), questions with answers, texts,
/// preference pairs, problems for reinforcement learning, or tokens.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Check(check::Args),
    Show(show::Args),
    Convert(convert::Args),
    Split(split::Args),
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::Check(args) => Box::pin(check::run(&args, context)).await,
        Action::Show(args) => Box::pin(show::run(&args, context)).await,
        Action::Convert(args) => Box::pin(convert::run(&args, context)).await,
        Action::Split(args) => split::run(&args, context),
    }
}
