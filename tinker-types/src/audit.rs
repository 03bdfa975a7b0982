//! The audit log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::{Endpoint, Method};

/// Which events to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AuditScope {
    /// All of them.
    #[default]
    All,
    /// Those of checkpoints.
    Checkpoints,
    /// Those of projects.
    Projects,
    /// Those of teams.
    Teams,
    /// Those of organizations.
    Organizations,
}

impl AuditScope {
    /// The name on the wire.
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

/// Reads the audit log of one day. The answer may come by a redirect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GetAuditLog {
    /// Which events.
    pub event_type: AuditScope,
    /// Which day, in UTC; `None` is today.
    pub day: Option<Date>,
}

impl Serialize for GetAuditLog {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Everything travels in the query.
        serializer.serialize_unit()
    }
}

impl Endpoint for GetAuditLog {
    type Response = AuditLog;
    const NAME: &'static str = "get_audit_log";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "audit";
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("event_type", self.event_type.as_str().to_owned())];
        query.extend(self.day.map(|day| ("day", day.to_string())));
        query
    }
}

/// Entries of the audit log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditLog {
    /// In the order of the server.
    pub entries: Vec<AuditEntry>,
}

/// One event.
#[serde_as]
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditEntry {
    /// When it happened.
    #[serde_as(as = "Iso8601")]
    pub timestamp: Timestamp,
    /// `<resource>_<action>`.
    pub event: String,
    /// More about it.
    #[serde(default)]
    pub event_details: BTreeMap<String, Value>,
    /// The model concerned.
    #[serde(default)]
    pub model_id: Option<String>,
    /// The checkpoint concerned.
    #[serde(default)]
    pub tinker_path: Option<String>,
    /// What for.
    #[serde(default)]
    pub purpose: Option<String>,
}

impl AuditEntry {
    /// An event, `<resource>_<action>`, and when it happened.
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
