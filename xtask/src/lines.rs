//! Count of lines of code of the libraries and the command, without tests, comments and blank lines.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::code::{COMMAND, Krate, LIBRARIES};
use crate::output::workspace_root;

/// Prints the lines of each crate and their sum. A crate that the checkout does not have counts 0.
pub(crate) fn run(root: Option<PathBuf>) -> anyhow::Result<()> {
    let root = root.unwrap_or_else(workspace_root);
    let mut out = std::io::stdout().lock();
    let (mut files, mut lines) = (0, 0);
    for name in LIBRARIES.into_iter().chain([COMMAND]) {
        let (own_files, own_lines) = count(&root, name)?;
        writeln!(out, "{name:<18}{own_files:>5} files{own_lines:>8} lines")?;
        files += own_files;
        lines += own_lines;
    }
    writeln!(out, "{:<18}{files:>5} files{lines:>8} lines", "total")?;
    Ok(())
}

fn count(root: &Path, name: &str) -> anyhow::Result<(usize, usize)> {
    let roots = ["lib", "main"].map(|stem| format!("{name}/src/{stem}.rs"));
    let Some(file) = roots.iter().find(|file| root.join(file).is_file()) else {
        return Ok((0, 0));
    };
    let krate = Krate::read(root, file)?;
    let lines = krate.files.iter().map(crate::code::Source::code_lines);
    Ok((krate.files.len(), lines.sum()))
}
