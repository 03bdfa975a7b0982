//! `expired.json`: checkpoints of a run that have expired, so that errors can tell them from names that never existed.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tinker_types::CheckpointPath;

use super::record::LAYOUT;
use super::{StoreError, disk};

pub(super) const EXPIRED: &str = "expired.json";

/// Most checkpoints that are remembered; beyond it the ones that expired first are forgotten.
const MOST: usize = 4096;

/// Paths of expired checkpoints, with the times at which they expired.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Expired {
    layout: u32,
    at: BTreeMap<String, Timestamp>,
}

impl Expired {
    /// Reads the file of a run. An unreadable one is as if it were empty.
    pub(super) fn read(run: &Path) -> Self {
        let bytes = disk::read_file(&run.join(EXPIRED));
        let read = bytes
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        read.filter(|file: &Self| file.layout == LAYOUT)
            .unwrap_or_default()
    }

    /// The part about one run.
    pub(super) fn of_run(&self, run: &str) -> Self {
        let is_of_run = |path: &str| {
            let path = path.parse::<CheckpointPath>();
            path.is_ok_and(|path| path.run().as_str() == run)
        };
        let of_run = self.at.iter().filter(|(path, _)| is_of_run(path));
        Self {
            layout: LAYOUT,
            at: of_run.map(|(path, at)| (path.clone(), *at)).collect(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    pub(super) fn insert(&mut self, path: &CheckpointPath, at: Timestamp) {
        self.at.insert(path.to_string(), at);
        while self.at.len() > MOST
            && let Some((oldest, _)) = self.at.iter().min_by_key(|(_, at)| **at)
        {
            let oldest = oldest.clone();
            self.at.remove(&oldest);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (path, at) in other.at {
            if let Ok(path) = path.parse() {
                self.insert(&path, at);
            }
        }
    }

    /// The error for a checkpoint that has expired.
    pub(super) fn error(&self, path: &CheckpointPath) -> Option<StoreError> {
        let at = *self.at.get(&path.to_string())?;
        Some(StoreError::Expired {
            path: path.clone(),
            at,
        })
    }
}
