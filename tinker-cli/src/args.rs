//! The command line.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use clap::{Parser, Subcommand};

use crate::command::{completions, sample, train};
#[cfg(feature = "local")]
use crate::command::{export, serve};
use crate::context::Output;
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

/// What to do. Each command describes itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(Box<train::Args>),
    Sample(Box<sample::Args>),
    #[cfg(feature = "local")]
    Serve(serve::Args),
    #[cfg(feature = "local")]
    Export(export::Args),
    Completions(completions::Args),
    /// Print the version.
    Version,
}
