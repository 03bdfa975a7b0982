//! The command line.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use clap::Parser;

use crate::command::Command;
use crate::context::OutputArgs;
use crate::exit;

/// Fine-tune, sample and serve language models.
///
/// Works against a Tinker server (TINKER_API_KEY, TINKER_BASE_URL) or, without one, on an engine built into this
/// program that needs no key and no network.
#[derive(Debug, Parser)]
#[command(name = "tinker", version, after_help = exit::HELP, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}
