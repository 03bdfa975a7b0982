//! `tinker man`: manual pages.

use std::path::PathBuf;

use anyhow::Context as _;

/// Write the manual pages of all commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker man ~/.local/share/man/man1 && man tinker-train")]
pub(crate) struct Args {
    /// Folder to write, created if needed. Earlier pages are replaced.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes a page for each command.
pub(crate) fn run(args: &Args, line: clap::Command) -> anyhow::Result<()> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(line, folder))
        .with_context(|| format!("cannot write manual pages in {}", folder.display()))
}
