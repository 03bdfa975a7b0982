//! Training runs as lists show them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::endpoint;
use crate::{AccessScope, Checkpoint, Cursor, ModelId};

/// A training run.
#[serde_as]
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TrainingRun {
    /// Id of the run, which is that of its model.
    pub training_run_id: ModelId,
    /// Name of the base model.
    pub base_model: String,
    /// Owner of the run.
    pub model_owner: String,
    /// Whether only adapters are trained.
    pub is_lora: bool,
    /// Whether its state is lost: it cannot continue, but its checkpoints can be loaded.
    #[serde(default)]
    pub corrupted: bool,
    /// Rank of the adapters.
    #[serde(default)]
    pub lora_rank: Option<u32>,
    /// Time of the last request.
    #[serde_as(as = "Iso8601")]
    pub last_request_time: Timestamp,
    /// Newest training checkpoint.
    #[serde(default)]
    pub last_checkpoint: Option<Checkpoint>,
    /// Newest sampler checkpoint.
    #[serde(default)]
    pub last_sampler_checkpoint: Option<Checkpoint>,
    /// Metadata of the run. Values that are not texts are read as their JSON.
    #[serde(default, deserialize_with = "crate::metadata::texts")]
    pub user_metadata: Option<BTreeMap<String, String>>,
}

impl TrainingRun {
    /// A LoRA run without checkpoints.
    pub fn new(id: ModelId, base_model: &str, owner: &str, last_request_time: Timestamp) -> Self {
        Self {
            training_run_id: id,
            base_model: base_model.to_owned(),
            model_owner: owner.to_owned(),
            is_lora: true,
            corrupted: false,
            lora_rank: None,
            last_request_time,
            last_checkpoint: None,
            last_sampler_checkpoint: None,
            user_metadata: None,
        }
    }
}

/// A page of training runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrainingRuns {
    /// Runs of this page.
    pub training_runs: Vec<TrainingRun>,
    /// Position of the page.
    pub cursor: Cursor,
}

/// Lists training runs, a page at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListTrainingRuns {
    /// Largest number of entries in the page. The official client requests 20.
    pub limit: u64,
    /// Number of entries before the page.
    pub offset: u64,
    /// Whose runs to list.
    pub access_scope: AccessScope,
    /// Restricts the list to one project.
    pub project_id: Option<String>,
}

endpoint!(
    ListTrainingRuns => TrainingRuns,
    Get "training_runs" as "list_training_runs",
    query(this) {
        let mut query = vec![
            ("limit", this.limit.to_string()),
            ("offset", this.offset.to_string()),
            ("access_scope", this.access_scope.as_str().to_owned()),
        ];
        query.extend(this.project_id.clone().map(|id| ("project_id", id)));
        query
    }
);

/// Requests the properties of one training run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetTrainingRun {
    /// Id of the run; part of the path.
    pub training_run_id: ModelId,
    /// Whose runs to search.
    pub access_scope: AccessScope,
}

endpoint!(
    GetTrainingRun => TrainingRun,
    Get "training_runs/{run}" as "get_training_run",
    parameters(this) vec![this.training_run_id.as_str()],
    query(this) vec![("access_scope", this.access_scope.as_str().to_owned())]
);
