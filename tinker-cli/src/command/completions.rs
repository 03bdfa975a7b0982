//! `tinker completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Arguments;
use crate::report;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker completions bash > ~/.local/share/bash-completion/completions/tinker
  tinker completions zsh > \"${fpath[1]}/_tinker\"
  tinker completions fish > ~/.config/fish/completions/tinker.fish")]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "tinker", &mut script);
    report::write(&script)
}
