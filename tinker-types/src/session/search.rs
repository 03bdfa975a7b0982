//! Listing and searching sessions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::endpoint;
use crate::{AccessScope, FinishReason, ModelId, SamplingSessionId, SessionId};

/// Lists sessions, a page at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListSessions {
    /// Largest number of entries in the page. The official client requests 20.
    pub limit: u64,
    /// Number of entries before the page.
    pub offset: u64,
    /// Whose sessions to list.
    pub access_scope: AccessScope,
}

endpoint!(
    ListSessions => Sessions,
    Get "sessions" as "list_sessions",
    query(this) vec![
        ("limit", this.limit.to_string()),
        ("offset", this.offset.to_string()),
        ("access_scope", this.access_scope.as_str().to_owned()),
    ]
);

/// A page of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sessions {
    /// Ids of the sessions.
    pub sessions: Vec<SessionId>,
}

/// Requests the properties of one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetSession {
    /// Id of the session; part of the path.
    pub session_id: SessionId,
    /// Whose sessions to search.
    pub access_scope: AccessScope,
}

endpoint!(
    GetSession => SessionInfo,
    Get "sessions/{session}" as "get_session",
    parameters(this) vec![this.session_id.as_str()],
    query(this) vec![("access_scope", this.access_scope.as_str().to_owned())]
);

/// Properties of a session.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionInfo {
    /// Ids of its training runs.
    pub training_run_ids: Vec<ModelId>,
    /// Ids of its samplers.
    pub sampler_ids: Vec<SamplingSessionId>,
    /// Metadata of the session. Values that are not texts are read as their JSON.
    #[serde(default, deserialize_with = "crate::metadata::texts")]
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// Display name.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// Assigns a session to a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssignSessionProject {
    /// Id of the session; part of the path.
    #[serde(skip)]
    pub session_id: SessionId,
    /// Id of the project.
    pub project_id: String,
}

endpoint!(
    AssignSessionProject => serde::de::IgnoredAny,
    Put "sessions/{session}/project" as "assign_session_project",
    parameters(this) vec![this.session_id.as_str()]
);

/// Requests a trace of a session; the first request starts the export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportSessionTrace {
    /// Id of the session; part of the path.
    #[serde(skip)]
    pub session_id: SessionId,
}

endpoint!(
    ExportSessionTrace => TraceExport,
    Get "sessions/{session}/trace_export" as "export_session_trace",
    parameters(this) vec![this.session_id.as_str()]
);

/// State of a trace export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum TraceExport {
    /// In progress.
    Pending,
    /// Ready; the link works for about an hour.
    Ready {
        /// Link to the trace.
        url: String,
    },
    /// Failed.
    Failed {
        /// Message of the server.
        #[serde(default)]
        error: Option<String>,
    },
}

/// Searches sessions.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct SearchSessions {
    /// Id of the session; together with `display_name`, either may match.
    pub session_id: Option<SessionId>,
    /// Projects to search; unset, all that may be listed.
    pub project_ids: Option<Vec<String>>,
    /// Metadata that must all match.
    pub user_metadata: BTreeMap<String, String>,
    /// Words that must all occur in the display name, ignoring case.
    pub display_name: Option<String>,
    /// Whose sessions to search.
    pub owner: SessionOwner,
    /// States, any of which may match.
    pub statuses: Option<Vec<StatusFilter>>,
    /// Largest number of entries in a page, 1 to 200. Default 50.
    pub limit: u32,
    /// End of the previous page.
    pub cursor: Option<SearchCursor>,
}

impl Default for SearchSessions {
    fn default() -> Self {
        Self {
            session_id: None,
            project_ids: None,
            user_metadata: BTreeMap::new(),
            display_name: None,
            owner: SessionOwner::Own,
            statuses: None,
            limit: 50,
            cursor: None,
        }
    }
}

endpoint!(SearchSessions => FoundSessions, "sessions/search");

/// Whose sessions to search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum SessionOwner {
    /// Sessions of the user.
    #[default]
    Own,
    /// All sessions the user may read.
    Accessible,
    /// Sessions of certain users.
    User {
        /// URNs of one to ten users.
        owner_urns: Vec<String>,
    },
}

/// A state to search sessions by.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StatusFilter {
    /// Open.
    Active,
    /// Cancelled.
    Cancelled,
    /// Failed.
    Failed,
    /// Finished by the client.
    ClientFinished {
        /// Reasons, any of which may match; unset, all.
        #[serde(default)]
        reasons: Option<Vec<FinishStatus>>,
    },
}

/// Finish reason in its short form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FinishStatus {
    /// The work is done.
    Success,
    /// An error ended the session.
    Errored,
    /// The user interrupted it.
    Interrupted,
}

/// End of a page of search results.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchCursor {
    /// Creation time of the last session.
    #[serde_as(as = "Iso8601")]
    pub last_created_at: Timestamp,
    /// Id of the last session.
    pub last_session_id: SessionId,
}

/// A page of search results.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundSessions {
    /// The sessions.
    pub sessions: Vec<SessionSummary>,
    /// Start of the next page; `None` after the last.
    #[serde(default)]
    pub next_cursor: Option<SearchCursor>,
}

/// Summary of a session.
#[serde_as]
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionSummary {
    /// Id of the session.
    pub session_id: SessionId,
    /// Creation time.
    #[serde_as(as = "Iso8601")]
    pub created_at: Timestamp,
    /// Owner of the session.
    pub owner: String,
    /// Project of the session.
    pub project_id: String,
    /// State of the session.
    #[serde(default)]
    pub status: Option<SessionStatus>,
    /// Number of checkpoints.
    pub checkpoints_count: u64,
    /// Display name.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Metadata of the session. Values that are not texts are read as their JSON.
    #[serde(default, deserialize_with = "crate::metadata::texts")]
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// Total size of its checkpoints in bytes.
    #[serde(default)]
    pub checkpoint_storage_bytes: Option<u64>,
}

impl SessionSummary {
    /// A session of an owner in a project, without checkpoints.
    pub fn new(
        session_id: SessionId,
        created_at: Timestamp,
        owner: impl Into<String>,
        project_id: impl Into<String>,
    ) -> Self {
        Self {
            session_id,
            created_at,
            owner: owner.into(),
            project_id: project_id.into(),
            status: None,
            checkpoints_count: 0,
            display_name: None,
            user_metadata: None,
            checkpoint_storage_bytes: None,
        }
    }
}

/// State of a session.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SessionStatus {
    /// Open.
    Active,
    /// Cancelled.
    Cancelled {
        /// Further details.
        #[serde(default)]
        detail: Option<String>,
    },
    /// Finished by the client.
    ClientFinished {
        /// Reason of the end.
        reason: FinishReason,
        /// Further details.
        #[serde(default)]
        detail: Option<String>,
    },
    /// Failed.
    Failed {
        /// Who can fix it: `user` or `internal`.
        category: String,
        /// Part that failed.
        reason: FailedPart,
        /// Message of the server.
        message: String,
    },
    /// A state that this version does not know, as the server sent it.
    #[serde(untagged)]
    Other(serde_json::Map<String, serde_json::Value>),
}

/// Part of a session that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailedPart {
    /// A request.
    Request {
        /// Id of the request.
        request_id: String,
        /// Type of the request.
        request_type: String,
    },
    /// A training run.
    TrainingRun {
        /// Id of the run.
        training_run_id: String,
    },
    /// A sampler.
    SamplingSession {
        /// Id of the sampler.
        sampling_session_id: String,
    },
    /// A part that this version does not know, as the server sent it.
    #[serde(untagged)]
    Other(serde_json::Map<String, serde_json::Value>),
}
