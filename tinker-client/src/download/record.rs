//! What a later call must know to go on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tinker_types::CheckpointPath;

/// What a folder of parts is a part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) checkpoint: CheckpointPath,
    #[serde(default)]
    pub(super) files: BTreeMap<String, Version>,
}

/// Which contents a file has: what is appended to it must be of the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// Says that contents are the same. Without one, a file is begun anew.
    pub(super) etag: Option<String>,
    /// Bytes of the whole.
    pub(super) total: Option<u64>,
    /// SHA-256 of the whole, in base64.
    pub(super) sha256: Option<String>,
    /// It is whole, and was checked.
    #[serde(default)]
    pub(super) is_done: bool,
}
