//! Runs in their folders, as `train list`, `show` and `diff` read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;
use tinker_train::{CONFIG, METRICS, StepRow};

use super::run_folder::{RECIPE, SUMMARY};
use crate::exit::Usage;

/// A run, as its folder describes it.
#[derive(Debug, Serialize)]
pub(crate) struct Past {
    pub(crate) run: PathBuf,
    pub(crate) status: String,
    pub(crate) settings: BTreeMap<String, Value>,
    /// The resolved recipe as TOML.
    pub(crate) recipe: Option<String>,
    /// Number of steps done.
    pub(crate) steps: usize,
    pub(crate) last: Option<StepRow>,
    pub(crate) summary: Option<Value>,
}

impl Past {
    /// Reads a run folder.
    pub(crate) fn read(run: &Path) -> anyhow::Result<Self> {
        let config = run.join(CONFIG);
        if !config.is_file() {
            return Err(Usage(format!("{} holds no run", run.display())).into());
        }
        let settings = json(&config)?;
        let settings = serde_json::from_value(settings)
            .with_context(|| format!("{} was not written by this version", config.display()))?;
        let path = run.join(METRICS);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        // The last line may be a part of a row, while the run goes on.
        let mut rows = text.lines().rev().map(serde_json::from_str::<StepRow>);
        let last = rows.find_map(Result::ok);
        let summary = run.join(SUMMARY);
        let summary = summary.is_file().then(|| json(&summary)).transpose()?;
        let status = summary
            .as_ref()
            .and_then(|summary| summary["status"].as_str());
        Ok(Self {
            run: run.to_owned(),
            // Its process works on it, or was killed.
            status: status.unwrap_or("open").to_owned(),
            settings,
            recipe: std::fs::read_to_string(run.join(RECIPE)).ok(),
            steps: last.as_ref().map_or(0, |row| row.number),
            last,
            summary,
        })
    }

    /// A setting as text; a dash if there is none.
    pub(crate) fn setting(&self, name: &str) -> String {
        self.settings
            .get(name)
            .map_or_else(|| "-".to_owned(), shown)
    }
}

/// A value without the quotes of a text.
pub(super) fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn json(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))
}
