//! `tinker completions`: completion scripts for shells.

use anyhow::Context as _;
use clap_complete::Shell;

use crate::completion;
use crate::report;

/// Print a completion script for a shell.
///
/// The script asks this program for what can follow: commands, options and files, and the runs and checkpoints of the
/// built-in engine, of run folders and of the server that the line or the environment names, if it answers within a
/// second.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker completions bash > ~/.local/share/bash-completion/completions/tinker
  tinker completions zsh > \"${fpath[1]}/_tinker\"
  tinker completions fish > ~/.config/fish/completions/tinker.fish")]
pub(crate) struct Args {
    /// Shell to print the script for.
    shell: Shell,
}

/// Prints the completion script.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let script = completion::script(&args.shell.to_string());
    report::write(&script.context("there is no script for this shell")?)
}
