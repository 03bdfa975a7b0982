//! Search of checkpoints. The messages follow the published reference of newer versions of the API; neither they nor the
//! path were recorded.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use super::listing::{Checkpoint, CheckpointType};
use crate::SessionOwner;
use crate::time::Iso8601;
use crate::wire::endpoint;

/// Searches checkpoints. Everything given must match. The result is newest first.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct SearchCheckpoints {
    /// Only checkpoints of these projects.
    pub project_ids: Option<Vec<String>>,
    /// Entries of the metadata, all of which must be equal.
    pub user_metadata: BTreeMap<String, String>,
    /// Only checkpoints with this purpose.
    pub checkpoint_type: Option<CheckpointType>,
    /// Whose checkpoints to search. Default: those of the caller.
    pub owner: SessionOwner,
    /// Only checkpoints of these base models. An empty list matches none.
    pub base_models: Option<Vec<String>>,
    /// Number of entries of a page, 1 to 200. Default 50.
    pub limit: u32,
    /// Where to continue: the `next_cursor` of the page before, unchanged.
    pub cursor: Option<CheckpointCursor>,
}

impl Default for SearchCheckpoints {
    fn default() -> Self {
        Self {
            project_ids: None,
            user_metadata: BTreeMap::new(),
            checkpoint_type: None,
            owner: SessionOwner::Own,
            base_models: None,
            limit: 50,
            cursor: None,
        }
    }
}

// The path is that of the neighbouring search of sessions; it was not published.
endpoint!(SearchCheckpoints => FoundCheckpoints, "checkpoints/search");

/// End of a page of a search.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckpointCursor {
    /// Time of the last entry.
    #[serde_as(as = "Iso8601")]
    pub last_created_at: Timestamp,
    /// Id of the last entry.
    pub last_checkpoint_uuid: String,
}

/// A page of found checkpoints.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundCheckpoints {
    /// Checkpoints, newest first.
    pub checkpoints: Vec<Checkpoint>,
    /// Where the next page starts; `None` after the last.
    #[serde(default)]
    pub next_cursor: Option<CheckpointCursor>,
}
