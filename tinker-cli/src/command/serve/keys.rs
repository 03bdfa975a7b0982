//! API keys that the server accepts.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;

use crate::format;

/// Keys and the tenants behind them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "API keys")]
pub(super) struct KeyArgs {
    /// Accept only this API key, and others given so; can be repeated, or separated by commas. Each key sees its own
    /// sessions, runs and checkpoints, and published checkpoints. Other users of this machine can see the arguments of a
    /// program: prefer the variable or --api-key-file.
    #[arg(
        long,
        value_name = "KEY",
        env = "TINKER_SERVE_API_KEYS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    api_key: Vec<Key>,
    /// File with API keys to accept, one a line. Empty lines and lines that begin with # are ignored.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

impl KeyArgs {
    /// The accepted keys; none if every key is accepted.
    pub(super) fn read(&self) -> anyhow::Result<Vec<String>> {
        let mut keys: Vec<String> = self.api_key.iter().map(|key| key.0.clone()).collect();
        if let Some(file) = &self.api_key_file {
            keys.extend(read_file(file)?);
        }
        Ok(keys)
    }
}

fn read_file(file: &Path) -> anyhow::Result<Vec<String>> {
    let shown = format::path(file);
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the API keys can't be read from {shown}"))?;
    let lines = text.lines().map(str::trim);
    let keys: Vec<String> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    // Without this check, a wrong file would open the server to every key.
    if keys.is_empty() {
        anyhow::bail!("{shown} has no API key; write one a line, or leave out --api-key-file");
    }
    Ok(keys)
}

/// A key from the command line. `Debug` hides it.
#[derive(Clone)]
struct Key(String);

impl FromStr for Key {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}
