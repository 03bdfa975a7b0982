//! The command line.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use clap::{Args, Parser, Subcommand};

#[cfg(feature = "local")]
use crate::command::serve;
use crate::command::{completions, sample, train};
use crate::exit;

/// Fine-tune, sample and serve language models.
///
/// Works against a Tinker server (TINKER_API_KEY, TINKER_BASE_URL) or, without one, on an engine built into this
/// program that needs no key and no network.
#[derive(Debug, Parser)]
#[command(name = "tinker", version, after_help = exit::HELP, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print the result and nothing else: no progress, no notes.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Log what goes on between this program and the server; -vv logs more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Draw with plain characters. Chosen by itself when the locale is not UTF-8.
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

/// What to do. Each command describes itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(Box<train::Args>),
    Sample(Box<sample::Args>),
    #[cfg(feature = "local")]
    Serve(serve::Args),
    Completions(completions::Args),
    /// Print the version.
    Version,
}
