//! Metadata of sessions and training runs. Lists show it; the part that belongs to checkpoints is stored with them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinker_types::{ModelId, SamplingSessionId, SessionId, SessionStatus};

use crate::identity;
use crate::tenant::Owner;

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SessionNote {
    pub(crate) id: SessionId,
    pub(crate) created: Timestamp,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) user_metadata: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) project_id: Option<String>,
    #[serde(default)]
    pub(crate) display_name: Option<String>,
    pub(crate) status: SessionStatus,
    /// The API key that opened it. Stored with the checkpoints.
    #[serde(skip)]
    pub(crate) owner: Option<Owner>,
    /// Its samplers. Not kept across restarts.
    #[serde(skip)]
    pub(crate) samplers: Vec<SamplingSessionId>,
}

impl SessionNote {
    /// An open session.
    pub(crate) fn new(id: SessionId, created: Timestamp) -> Self {
        Self {
            id,
            created,
            tags: Vec::new(),
            user_metadata: BTreeMap::new(),
            project_id: None,
            display_name: None,
            status: SessionStatus::Active,
            owner: None,
            samplers: Vec::new(),
        }
    }

    pub(crate) fn project(&self) -> &str {
        self.project_id.as_deref().unwrap_or(identity::PROJECT)
    }

    /// The metadata as lists show it.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        texts(&self.user_metadata)
    }
}

/// A training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunNote {
    pub(crate) id: ModelId,
    pub(crate) base_model: String,
    pub(crate) lora_rank: usize,
    pub(crate) last_request: Timestamp,
    #[serde(default)]
    pub(crate) user_metadata: BTreeMap<String, Value>,
}

impl RunNote {
    /// The metadata as lists show it.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        texts(&self.user_metadata)
    }
}

/// A run with its session, as stored beside the checkpoints of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) run: RunNote,
    pub(crate) session: SessionNote,
}

/// Metadata as texts, which lists are limited to. Other values are written as JSON.
fn texts(values: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    values
        .iter()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}
