//! Comparison with Python's `transformers` on real models, whose files are fetched from npm and `PyPI`.
//!
//! Each part has a file here, a golden under `tests/fixtures/parity` and an oracle under `tests/python/parity`. A plain
//! run compares this workspace with the goldens, which hold digests. With `--python`, the oracle runs first: the results
//! are compared in full, and the goldens are written. Fetched files stay in `target/parity`.

mod control;
mod conversation;
mod corpus;
mod digest;
mod fetch;
mod learned;
mod templates;
mod text;
mod tokens;

use std::path::Path;

use xshell::Shell;

pub(crate) use self::fetch::tokenizer;
use crate::output::workspace_root;

/// Compares with the goldens, or with `transformers` in this Python.
pub(crate) fn run(python: Option<&Path>) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    templates::run(&shell, python, &tokens::TOKENIZERS)?;
    tokens::run(&shell, python)
}
