//! Finding sessions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::{Endpoint, Method, endpoint};
use crate::{AccessScope, FinishReason, ModelId, SamplingSessionId, SessionId};

/// Lists sessions, a page at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListSessions {
    /// Most entries of the page. The official client asks for 20.
    pub limit: u64,
    /// Entries before it.
    pub offset: u64,
    /// Whose sessions.
    pub access_scope: AccessScope,
}

impl Endpoint for ListSessions {
    type Response = Sessions;
    const NAME: &'static str = "list_sessions";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "sessions";
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![
            ("limit", self.limit.to_string()),
            ("offset", self.offset.to_string()),
            ("access_scope", self.access_scope.as_str().to_owned()),
        ]
    }
}

/// A page of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sessions {
    /// Their ids.
    pub sessions: Vec<SessionId>,
}

/// Asks about one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetSession {
    /// Which session; part of the path.
    pub session_id: SessionId,
    /// Whose sessions to look among.
    pub access_scope: AccessScope,
}

impl Endpoint for GetSession {
    type Response = SessionInfo;
    const NAME: &'static str = "get_session";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "sessions/{session}";
    fn parameters(&self) -> Vec<&str> {
        vec![self.session_id.as_str()]
    }
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("access_scope", self.access_scope.as_str().to_owned())]
    }
}

/// What belongs to a session.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its training runs.
    pub training_run_ids: Vec<ModelId>,
    /// Its samplers.
    pub sampler_ids: Vec<SamplingSessionId>,
    /// Its notes.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// Its name for people.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// Books a session on a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssignSessionProject {
    /// Which session; part of the path.
    #[serde(skip)]
    pub session_id: SessionId,
    /// The project.
    pub project_id: String,
}

impl Endpoint for AssignSessionProject {
    type Response = serde::de::IgnoredAny;
    const NAME: &'static str = "assign_session_project";
    const METHOD: Method = Method::Put;
    const ROUTE: &'static str = "sessions/{session}/project";
    fn parameters(&self) -> Vec<&str> {
        vec![self.session_id.as_str()]
    }
}

/// Asks for a trace of a session; the first call starts the export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportSessionTrace {
    /// Which session; part of the path.
    #[serde(skip)]
    pub session_id: SessionId,
}

impl Endpoint for ExportSessionTrace {
    type Response = TraceExport;
    const NAME: &'static str = "export_session_trace";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "sessions/{session}/trace_export";
    fn parameters(&self) -> Vec<&str> {
        vec![self.session_id.as_str()]
    }
}

/// How far the export of a trace is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum TraceExport {
    /// It is being made.
    Pending,
    /// It can be fetched for about an hour.
    Ready {
        /// Where.
        url: String,
    },
    /// It could not be made.
    Failed {
        /// Why.
        #[serde(default)]
        error: Option<String>,
    },
}

/// Finds sessions by what is known of them.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct SearchSessions {
    /// Exactly this session; together with `display_name` either may match.
    pub session_id: Option<SessionId>,
    /// Sessions of these projects; unset, of all that may be listed.
    pub project_ids: Option<Vec<String>>,
    /// Notes that must all be there.
    pub user_metadata: BTreeMap<String, String>,
    /// Words that must all occur in the name, in any case.
    pub display_name: Option<String>,
    /// Whose sessions.
    pub owner: SessionOwner,
    /// States, any of which may match.
    pub statuses: Option<Vec<StatusFilter>>,
    /// Most entries of a page, 1 to 200. Default 50.
    pub limit: u32,
    /// Where the last page ended.
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

/// Whose sessions to find.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum SessionOwner {
    /// One's own.
    #[default]
    Own,
    /// All that may be read.
    Accessible,
    /// Those of some users.
    User {
        /// One to ten of them.
        owner_urns: Vec<String>,
    },
}

/// A state to find sessions by.
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
        /// For one of these reasons; unset, for any.
        #[serde(default)]
        reasons: Option<Vec<FinishWord>>,
    },
}

/// A finish reason as a bare word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FinishWord {
    /// The work was done.
    Success,
    /// An error ended it.
    Errored,
    /// The user ended it.
    Interrupted,
}

/// Where a page of found sessions ended.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchCursor {
    /// When its last session was created.
    #[serde_as(as = "Iso8601")]
    pub last_created_at: Timestamp,
    /// Its last session.
    pub last_session_id: SessionId,
}

/// A page of found sessions.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundSessions {
    /// The sessions.
    pub sessions: Vec<SessionSummary>,
    /// Where the next page begins; `None` after the last.
    #[serde(default)]
    pub next_cursor: Option<SearchCursor>,
}

/// A session in short.
#[serde_as]
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionSummary {
    /// Its id.
    pub session_id: SessionId,
    /// When it was created.
    #[serde_as(as = "Iso8601")]
    pub created_at: Timestamp,
    /// Who owns it.
    pub owner: String,
    /// Its project.
    pub project_id: String,
    /// Its state.
    #[serde(default)]
    pub status: Option<SessionStatus>,
    /// Its checkpoints.
    pub checkpoints_count: u64,
    /// Its name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Its notes.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// Bytes its checkpoints take.
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

/// The state of a session.
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
        /// More about it.
        #[serde(default)]
        detail: Option<String>,
    },
    /// Finished by the client.
    ClientFinished {
        /// Why.
        reason: FinishReason,
        /// More about it.
        #[serde(default)]
        detail: Option<String>,
    },
    /// Failed.
    Failed {
        /// Whose fault: `user` or `internal`.
        category: String,
        /// What failed.
        reason: FailedPart,
        /// What went wrong.
        message: String,
    },
}

/// The part of a session that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailedPart {
    /// A request.
    Request {
        /// Which.
        request_id: String,
        /// Of which kind.
        request_type: String,
    },
    /// A training run.
    TrainingRun {
        /// Which.
        training_run_id: String,
    },
    /// A sampler.
    SamplingSession {
        /// Which.
        sampling_session_id: String,
    },
}
