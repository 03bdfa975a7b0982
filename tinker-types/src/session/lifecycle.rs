//! Life cycle of sessions and samplers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, tagged, type_tag};
use crate::{SamplingSessionId, SessionId};

type_tag!(CreateSessionTag, "create_session");
type_tag!(HeartbeatTag, "session_heartbeat");
type_tag!(CreateSamplingSessionTag, "create_sampling_session");

/// Opens a session: the work of one client between start and finish.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreateSession {
    /// Tags to search sessions by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Free-form metadata.
    #[serde(default)]
    pub user_metadata: BTreeMap<String, Value>,
    /// Version of the client.
    pub sdk_version: String,
    /// Project to which the session is billed.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Display name.
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(rename = "type", default)]
    tag: CreateSessionTag,
}

impl CreateSession {
    /// A session without metadata.
    pub fn new(sdk_version: &str) -> Self {
        Self {
            tags: Vec::new(),
            user_metadata: BTreeMap::new(),
            sdk_version: sdk_version.to_owned(),
            project_id: None,
            display_name: None,
            tag: CreateSessionTag::Tag,
        }
    }
}

endpoint!(CreateSession => SessionCreated, "create_session");

/// An open session, with messages for the user.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionCreated {
    /// Id of the session.
    pub session_id: SessionId,
    /// Information for the user.
    #[serde(default)]
    pub info_message: Option<String>,
    /// Warning for the user.
    #[serde(default)]
    pub warning_message: Option<String>,
    /// Error that did not prevent the session.
    #[serde(default)]
    pub error_message: Option<String>,
    #[serde(rename = "type", default)]
    tag: CreateSessionTag,
}

impl SessionCreated {
    /// A session without messages.
    pub fn new(session_id: SessionId) -> Self {
        Self {
            session_id,
            info_message: None,
            warning_message: None,
            error_message: None,
            tag: CreateSessionTag::Tag,
        }
    }
}

tagged! {
    /// Keeps a session alive.
    SessionHeartbeat as HeartbeatTag {
        /// Id of the session.
        session_id: SessionId
    }
}

endpoint!(SessionHeartbeat => serde::de::IgnoredAny, "session_heartbeat");

/// Reason why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FinishReason {
    /// The work is done.
    Success,
    /// An error ended the session.
    Errored,
    /// The user interrupted it.
    Interrupted,
}

/// Ends a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FinishSession {
    /// Id of the session; part of the path.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub session_id: Option<SessionId>,
    /// Reason of the end.
    pub reason: FinishReason,
    /// Further details.
    #[serde(default)]
    pub detail: Option<String>,
}

impl FinishSession {
    /// Ends a session for a reason.
    pub fn new(session_id: SessionId, reason: FinishReason) -> Self {
        Self {
            session_id: Some(session_id),
            reason,
            detail: None,
        }
    }
}

endpoint!(
    FinishSession => serde::de::IgnoredAny,
    Post "sessions/{session}/finish" as "finish_session",
    parameters(this) vec![this.session_id.as_ref().map_or("", SessionId::as_str)]
);

/// Creates a sampler from a base model or a checkpoint.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreateSamplingSession {
    /// Session of the sampler.
    pub session_id: SessionId,
    /// Index among the samplers of the session, from 0.
    pub sampling_session_seq_id: u64,
    /// Name of a base model.
    #[serde(default)]
    pub base_model: Option<String>,
    /// `tinker://` path of a checkpoint.
    #[serde(default)]
    pub model_path: Option<String>,
    #[serde(rename = "type", default)]
    tag: CreateSamplingSessionTag,
}

impl CreateSamplingSession {
    /// A sampler without a source; set `base_model` or `model_path`.
    pub fn new(session_id: SessionId, sampling_session_seq_id: u64) -> Self {
        Self {
            session_id,
            sampling_session_seq_id,
            base_model: None,
            model_path: None,
            tag: CreateSamplingSessionTag::Tag,
        }
    }
}

endpoint!(CreateSamplingSession => SamplingSessionCreated, "create_sampling_session");

tagged! {
    /// A created sampler.
    SamplingSessionCreated as CreateSamplingSessionTag {
        /// Id of the sampler.
        sampling_session_id: SamplingSessionId
    }
}

/// Requests the properties of a sampler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GetSampler {
    /// Id of the sampler; part of the path.
    #[serde(skip)]
    pub sampler_id: SamplingSessionId,
}

impl GetSampler {
    /// Requests the properties of one sampler.
    pub fn new(sampler_id: SamplingSessionId) -> Self {
        Self { sampler_id }
    }
}

endpoint!(
    GetSampler => SamplerInfo,
    Get "samplers/{sampler}" as "get_sampler",
    parameters(this) vec![this.sampler_id.as_str()]
);

/// Properties of a sampler.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SamplerInfo {
    /// Id of the sampler.
    pub sampler_id: SamplingSessionId,
    /// Name of the base model.
    pub base_model: String,
    /// Checkpoint from which it was created.
    #[serde(default)]
    pub model_path: Option<String>,
}

impl SamplerInfo {
    /// A sampler of a base model.
    pub fn new(sampler_id: SamplingSessionId, base_model: &str) -> Self {
        Self {
            sampler_id,
            base_model: base_model.to_owned(),
            model_path: None,
        }
    }
}
