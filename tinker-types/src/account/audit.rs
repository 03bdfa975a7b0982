//! Audit log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::endpoint;

/// Which events to return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AuditScope {
    /// All events.
    #[default]
    All,
    /// Events of checkpoints.
    Checkpoints,
    /// Events of projects.
    Projects,
    /// Events of teams.
    Teams,
    /// Events of organizations.
    Organizations,
}

impl AuditScope {
    /// Name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Checkpoints => "checkpoints",
            Self::Projects => "projects",
            Self::Teams => "teams",
            Self::Organizations => "organizations",
        }
    }
}

/// Reads the audit log of one day. The server may answer with a redirect to the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetAuditLog {
    /// Which events to return; part of the query.
    #[serde(skip)]
    pub event_type: AuditScope,
    /// Day in UTC; `None` is today. Part of the query.
    #[serde(skip)]
    pub day: Option<Date>,
}

endpoint!(
    GetAuditLog => AuditLog,
    Get "audit" as "get_audit_log",
    query(this) {
        let mut query = vec![("event_type", this.event_type.as_str().to_owned())];
        query.extend(this.day.map(|day| ("day", day.to_string())));
        query
    }
);

/// Entries of the audit log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditLog {
    /// Events, in the order of the server.
    pub entries: Vec<AuditEntry>,
}

/// One event of the audit log.
#[serde_as]
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditEntry {
    /// Time of the event.
    #[serde_as(as = "Iso8601")]
    pub timestamp: Timestamp,
    /// Kind of the event, `<resource>_<action>`.
    pub event: String,
    /// Further fields of the event.
    #[serde(default)]
    pub event_details: BTreeMap<String, Value>,
    /// Model the event refers to.
    #[serde(default)]
    pub model_id: Option<String>,
    /// Checkpoint the event refers to.
    #[serde(default)]
    pub tinker_path: Option<String>,
    /// Purpose of the action, for example `download`.
    #[serde(default)]
    pub purpose: Option<String>,
}

impl AuditEntry {
    /// An event of kind `<resource>_<action>` at a time.
    pub fn new(timestamp: Timestamp, event: &str) -> Self {
        Self {
            timestamp,
            event: event.to_owned(),
            event_details: BTreeMap::new(),
            model_id: None,
            tinker_path: None,
            purpose: None,
        }
    }
}
