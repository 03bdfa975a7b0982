//! The record of a download, from which a later call continues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tinker_types::CheckpointPath;

/// The checkpoint and the files of a folder of parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) checkpoint: CheckpointPath,
    #[serde(default)]
    pub(super) files: BTreeMap<String, Version>,
}

/// The version of a file; only bytes of the same version are appended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// Identifies the content. Without one, a file is fetched from the start.
    pub(super) etag: Option<String>,
    /// Size of the whole file in bytes.
    pub(super) total: Option<u64>,
    /// SHA-256 of the whole file, in base64.
    pub(super) sha256: Option<String>,
    /// The file is complete and was checked.
    #[serde(default)]
    pub(super) is_done: bool,
}
