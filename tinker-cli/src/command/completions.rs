//! `tinker completions`: completion scripts for shells.

use clap_complete::Shell;

use crate::report;

/// Print a completion script for a shell.
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

/// Prints the completion script for the command line.
pub(crate) fn run(args: &Args, mut line: clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut line, "tinker", &mut script);
    report::write(&script)
}
