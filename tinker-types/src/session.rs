//! Sessions and samplers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::wire::{Endpoint, Method, endpoint, type_tag};
use crate::{SamplingSessionId, SessionId};

type_tag!(CreateSessionTag, "create_session");
type_tag!(HeartbeatTag, "session_heartbeat");
type_tag!(CreateSamplingSessionTag, "create_sampling_session");

/// Opens a session: what one client does between start and finish.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreateSession {
    /// Words to find the session by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Free-form notes.
    #[serde(default)]
    pub user_metadata: BTreeMap<String, Value>,
    /// Version of the client.
    pub sdk_version: String,
    /// Project the session is booked on.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(rename = "type", default)]
    tag: CreateSessionTag,
}

impl CreateSession {
    /// A session without notes.
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

/// An open session, with notes to show the user.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionCreated {
    /// Its id.
    pub session_id: SessionId,
    /// A note.
    #[serde(default)]
    pub info_message: Option<String>,
    /// A warning.
    #[serde(default)]
    pub warning_message: Option<String>,
    /// An error that did not prevent the session.
    #[serde(default)]
    pub error_message: Option<String>,
    #[serde(rename = "type", default)]
    tag: CreateSessionTag,
}

impl SessionCreated {
    /// A session without notes.
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

/// Keeps a session alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SessionHeartbeat {
    /// Which session.
    pub session_id: SessionId,
    #[serde(rename = "type", default)]
    tag: HeartbeatTag,
}

impl SessionHeartbeat {
    /// For one session.
    pub fn new(session_id: SessionId) -> Self {
        Self {
            session_id,
            tag: HeartbeatTag::Tag,
        }
    }
}

endpoint!(SessionHeartbeat => serde::de::IgnoredAny, "session_heartbeat");

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FinishReason {
    /// The work was done.
    Success,
    /// An error ended it.
    Errored,
    /// The user ended it.
    Interrupted,
}

/// Ends a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FinishSession {
    /// Which session; part of the path.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub session_id: Option<SessionId>,
    /// How it ended.
    pub reason: FinishReason,
    /// More about it.
    #[serde(default)]
    pub detail: Option<String>,
}

impl FinishSession {
    /// Ends one session.
    pub fn new(session_id: SessionId, reason: FinishReason) -> Self {
        Self {
            session_id: Some(session_id),
            reason,
            detail: None,
        }
    }
}

impl Endpoint for FinishSession {
    type Response = serde::de::IgnoredAny;
    const NAME: &'static str = "finish_session";
    const ROUTE: &'static str = "sessions/{session}/finish";
    fn parameters(&self) -> Vec<&str> {
        vec![self.session_id.as_ref().map_or("", SessionId::as_str)]
    }
}

/// Makes a sampler from a base model or a checkpoint.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreateSamplingSession {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Position among the session's samplers, from 0.
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
    /// A sampler with neither source yet: set one of them.
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

/// A sampler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SamplingSessionCreated {
    /// Its id.
    pub sampling_session_id: SamplingSessionId,
    #[serde(rename = "type", default)]
    tag: CreateSamplingSessionTag,
}

impl SamplingSessionCreated {
    /// The answer for a sampler.
    pub fn new(sampling_session_id: SamplingSessionId) -> Self {
        Self {
            sampling_session_id,
            tag: CreateSamplingSessionTag::Tag,
        }
    }
}

/// Asks what a sampler is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GetSampler {
    /// Which sampler; part of the path.
    #[serde(skip)]
    pub sampler_id: SamplingSessionId,
}

impl GetSampler {
    /// Asks about one sampler.
    pub fn new(sampler_id: SamplingSessionId) -> Self {
        Self { sampler_id }
    }
}

impl Endpoint for GetSampler {
    type Response = SamplerInfo;
    const NAME: &'static str = "get_sampler";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "samplers/{sampler}";
    fn parameters(&self) -> Vec<&str> {
        vec![self.sampler_id.as_str()]
    }
}

/// What a sampler is.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SamplerInfo {
    /// Its id.
    pub sampler_id: SamplingSessionId,
    /// Name of its base model.
    pub base_model: String,
    /// The checkpoint it was made from.
    #[serde(default)]
    pub model_path: Option<String>,
}

impl SamplerInfo {
    /// A sampler over a base model.
    pub fn new(sampler_id: SamplingSessionId, base_model: &str) -> Self {
        Self {
            sampler_id,
            base_model: base_model.to_owned(),
            model_path: None,
        }
    }
}
