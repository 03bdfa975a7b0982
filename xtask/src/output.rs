//! Writing and checking of generated files.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The task that rewrites most generated files.
pub(crate) const CODEGEN: &str = "codegen";

/// Whether generated files are written or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    /// Write nothing and fail on the first file that differs.
    Check,
}

impl Mode {
    pub(crate) fn from_check(check: bool) -> Self {
        if check { Self::Check } else { Self::Write }
    }

    /// Writes a file of the workspace if its contents differ, or fails if they do.
    pub(crate) fn apply(self, path: &str, contents: &str, task: &str) -> anyhow::Result<()> {
        let full = workspace_root().join(path);
        let current = std::fs::read_to_string(&full).ok();
        if current.as_deref() == Some(contents) {
            return Ok(());
        }
        match self {
            Self::Check => bail!("{path} is stale; run `cargo xtask {task}` and commit the result"),
            Self::Write => {
                std::fs::write(&full, contents).with_context(|| format!("cannot write {path}"))
            }
        }
    }
}

/// Writes a temporary file and renames it, so that a reader never sees a partial file.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let place = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(place)?;
    }
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, contents).with_context(place)?;
    std::fs::rename(&fresh, path).with_context(place)
}

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
