//! `run.json`: a run and its session, stored beside the run's checkpoints.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record::LAYOUT;
use crate::note::Origin;

pub(super) const ORIGIN: &str = "run.json";

#[derive(Serialize, Deserialize)]
struct File {
    layout: u32,
    #[serde(flatten)]
    origin: Origin,
}

/// Removes the folder of a run if it holds nothing but this file.
pub(super) fn remove_if_alone(run: &Path) {
    let file = run.join(ORIGIN);
    let only = |entries: fs::ReadDir| entries.flatten().all(|entry| entry.path() == file);
    if file.exists() && fs::read_dir(run).is_ok_and(only) {
        // Leftovers are removed when the data folder is opened.
        let _failed = fs::remove_file(&file).and_then(|()| fs::remove_dir(run));
    }
}

/// Parses the file, if it has this layout.
pub(super) fn decode(bytes: &[u8]) -> Option<Origin> {
    let file: File = serde_json::from_slice(bytes).ok()?;
    (file.layout == LAYOUT).then_some(file.origin)
}

pub(super) fn encode(origin: &Origin) -> Vec<u8> {
    let file = File {
        layout: LAYOUT,
        origin: origin.clone(),
    };
    serde_json::to_vec_pretty(&file).unwrap_or_default()
}
