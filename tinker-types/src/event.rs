//! Telemetry a client may send to the service.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::endpoint;

/// A batch of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SendTelemetry {
    /// The events, at most 100.
    pub events: Vec<Event>,
    /// `Linux`, `Darwin` or `Windows`.
    pub platform: String,
    /// Version of the client.
    pub sdk_version: String,
    /// The session, or `sessionless-<uuid>`.
    pub session_id: String,
    /// One for each process.
    pub process_uuid: String,
}

impl SendTelemetry {
    /// A batch of one process.
    pub fn new(
        events: Vec<Event>,
        sdk_version: &str,
        session_id: &str,
        process_uuid: &str,
    ) -> Self {
        let platform = match std::env::consts::OS {
            "macos" => "Darwin",
            "windows" => "Windows",
            "linux" => "Linux",
            other => other,
        };
        Self {
            events,
            platform: platform.to_owned(),
            sdk_version: sdk_version.to_owned(),
            session_id: session_id.to_owned(),
            process_uuid: process_uuid.to_owned(),
        }
    }
}

endpoint!(SendTelemetry => TelemetryAccepted, "telemetry");

/// The answer to a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TelemetryAccepted {
    /// `accepted`.
    pub status: String,
}

/// How serious an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// For developers.
    Debug,
    /// For the record.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
    /// Everything failed.
    Critical,
}

/// One event.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
    /// A UUID.
    pub event_id: String,
    /// 0, 1, 2 ... within the client.
    pub event_session_index: u64,
    /// How serious it is.
    pub severity: Severity,
    /// When it happened.
    #[serde_as(as = "Iso8601")]
    pub timestamp: Timestamp,
}

impl Event {
    /// An event at a time.
    pub fn new(
        kind: EventKind,
        event_id: &str,
        index: u64,
        severity: Severity,
        timestamp: Timestamp,
    ) -> Self {
        Self {
            kind,
            event_id: event_id.to_owned(),
            event_session_index: index,
            severity,
            timestamp,
        }
    }
}

/// What happened.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum EventKind {
    /// A client started.
    SessionStart,
    /// A client ended.
    SessionEnd {
        /// How long it ran, as the official client writes it: `0:00:01.500000`.
        #[serde(default)]
        duration: Option<String>,
    },
    /// An error that is not the user's.
    UnhandledException {
        /// Its type.
        error_type: String,
        /// What it says.
        error_message: String,
        /// Where it came from.
        #[serde(default)]
        traceback: Option<String>,
    },
    /// Anything else.
    GenericEvent {
        /// Its name.
        event_name: String,
        /// Its data.
        #[serde(default)]
        event_data: BTreeMap<String, Value>,
    },
}
