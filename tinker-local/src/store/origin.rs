//! `run.json`: a run and its session, stored beside the run's checkpoints.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::expired::EXPIRED;
use super::record::LAYOUT;
use crate::note::Origin;

pub(super) const ORIGIN: &str = "run.json";

#[derive(Serialize, Deserialize)]
struct File {
    layout: u32,
    #[serde(flatten)]
    origin: Origin,
}

/// Removes a folder below `checkpoints` if it holds nothing, or nothing but the files about the run; then its parents
/// likewise.
pub(super) fn remove_empty(folder: &Path, checkpoints: &Path) {
    let folders = folder.ancestors();
    for folder in folders.take_while(|folder| *folder != checkpoints) {
        let files = [ORIGIN, EXPIRED].map(|name| folder.join(name));
        let is_known = |entry: fs::DirEntry| files.contains(&entry.path());
        if fs::read_dir(folder).is_ok_and(|entries| entries.flatten().all(is_known)) {
            for file in &files {
                let _absent = fs::remove_file(file);
            }
        }
        if fs::remove_dir(folder).is_err() {
            break;
        }
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
