//! Usage and its cost.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::serde_as;

use crate::time::Iso8601;
use crate::wire::endpoint;

/// Reads usage between two times. The server takes whole UTC hours, at most 14 days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetBillingUsage {
    /// Start of the interval, ISO 8601.
    pub starting_on: String,
    /// End of the interval, exclusive, ISO 8601.
    pub ending_before: String,
}

impl GetBillingUsage {
    /// Requests the usage between two times.
    pub fn between(starting_on: Timestamp, ending_before: Timestamp) -> Self {
        Self {
            starting_on: starting_on.to_string(),
            ending_before: ending_before.to_string(),
        }
    }
}

endpoint!(
    GetBillingUsage => BillingUsage,
    Get "billing/usage/events" as "get_billing_usage",
    query(this) vec![
        ("starting_on", this.starting_on.clone()),
        ("ending_before", this.ending_before.clone()),
    ]
);

/// Usage, one event for each hour and kind.
#[serde_as]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BillingUsage {
    /// The events.
    pub data: Vec<UsageEvent>,
    /// Metadata of the sessions that occur in the events.
    #[serde(default)]
    pub sessions: BTreeMap<String, UsageSession>,
    /// Time up to which costs are known.
    #[serde_as(as = "Option<Iso8601>")]
    #[serde(default)]
    pub cost_data_through: Option<Timestamp>,
}

/// Metadata of a session in a usage report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageSession {
    /// Metadata given when the session was created.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, serde_json::Value>>,
}

/// Usage of one kind in one hour.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UsageEvent {
    /// Start of the hour.
    #[serde_as(as = "Iso8601")]
    pub bucket_start: Timestamp,
    /// End of the hour.
    #[serde_as(as = "Iso8601")]
    pub bucket_end: Timestamp,
    /// Name of the base model.
    #[serde(default)]
    pub base_model: Option<String>,
    /// User id.
    #[serde(default)]
    pub user_id: Option<String>,
    /// User name.
    #[serde(default)]
    pub user_name: Option<String>,
    /// Session id.
    #[serde(default)]
    pub session_id: Option<String>,
    /// Project id.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Cost in US dollars; `None` if not known yet.
    #[serde(default)]
    pub estimated_cost_usd: Option<f64>,
    /// Price in US dollars per million tokens.
    #[serde(default)]
    pub effective_rate_usd_per_million_tokens: Option<f64>,
    /// Price in US dollars per gigabyte and month.
    #[serde(default)]
    pub effective_rate_usd_per_gigabyte_month: Option<f64>,
    /// Kind and amount of the usage.
    pub event_info: Usage,
}

impl UsageEvent {
    /// Usage between two times, without a user and a cost.
    pub fn new(bucket_start: Timestamp, bucket_end: Timestamp, event_info: Usage) -> Self {
        Self {
            bucket_start,
            bucket_end,
            base_model: None,
            user_id: None,
            user_name: None,
            session_id: None,
            project_id: None,
            estimated_cost_usd: None,
            effective_rate_usd_per_million_tokens: None,
            effective_rate_usd_per_gigabyte_month: None,
            event_info,
        }
    }
}

/// Kind and amount of usage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Usage {
    /// Trained tokens.
    Training {
        /// Number of tokens.
        token_count: u64,
    },
    /// Prompt tokens.
    SamplingPrefill {
        /// Whether they came from the prefix cache.
        cached: bool,
        /// Number of tokens.
        token_count: u64,
    },
    /// Sampled tokens.
    SamplingSample {
        /// Number of tokens.
        token_count: u64,
    },
    /// Saved checkpoints.
    Checkpoint {
        /// Number of checkpoints.
        count: u64,
    },
    /// Storage.
    Storage {
        /// Whether it is free of charge.
        #[serde(default)]
        free: bool,
        /// Gigabytes times hours.
        gigabyte_hours: f64,
    },
    /// A kind that this version does not know, as the server sent it.
    #[serde(untagged)]
    Other(serde_json::Map<String, serde_json::Value>),
}

/// Requests the current cost of stored checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GetCheckpointStorage {
    /// Restricts the result to one project.
    pub project_id: Option<String>,
}

endpoint!(
    GetCheckpointStorage => CheckpointStorage,
    Get "billing/usage/checkpoints/current" as "get_current_checkpoint_storage_usage",
    query(this) this.project_id.iter().map(|id| ("project_id", id.clone())).collect()
);

/// Current cost of stored checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckpointStorage {
    /// Price in US dollars per gigabyte and month.
    #[serde(default)]
    pub effective_rate_usd_per_gigabyte_month: Option<f64>,
    /// One entry for each project and user.
    pub data: Vec<StorageEntry>,
}

/// Stored checkpoints of one project and user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StorageEntry {
    /// Project id.
    #[serde(default)]
    pub project_id: Option<String>,
    /// User id.
    #[serde(default)]
    pub org_user_urn: Option<String>,
    /// User's e-mail address.
    #[serde(default)]
    pub user_email: Option<String>,
    /// User name.
    #[serde(default)]
    pub user_name: Option<String>,
    /// Number of checkpoints.
    pub checkpoint_count: u64,
    /// Total size in bytes.
    pub size_bytes: u64,
    /// Total size in gigabytes.
    pub size_gigabytes: f64,
    /// Cost of a month in US dollars.
    #[serde(default)]
    pub estimated_monthly_cost_usd: Option<f64>,
}
