//! Client telemetry.

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
    pub events: Vec<TelemetryEvent>,
    /// `Linux`, `Darwin` or `Windows`.
    pub platform: String,
    /// Version of the client.
    pub sdk_version: String,
    /// Session id, or `sessionless-<uuid>`.
    pub session_id: String,
    /// UUID of the process.
    pub process_uuid: String,
}

impl SendTelemetry {
    /// A batch of events from this process.
    pub fn new(
        events: Vec<TelemetryEvent>,
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

/// Response to a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TelemetryAccepted {
    /// Always `accepted`.
    pub status: String,
}

/// Severity of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// For developers.
    Debug,
    /// For information.
    Info,
    /// Unexpected, but handled.
    Warning,
    /// An operation failed.
    Error,
    /// The client as a whole failed.
    Critical,
}

/// One telemetry event.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TelemetryEvent {
    /// Kind and fields of the event.
    #[serde(flatten)]
    pub kind: TelemetryEventKind,
    /// UUID of the event.
    pub event_id: String,
    /// Index of the event within the client, from 0.
    pub event_session_index: u64,
    /// Severity of the event.
    pub severity: Severity,
    /// Time of the event.
    #[serde_as(as = "Iso8601")]
    pub timestamp: Timestamp,
}

impl TelemetryEvent {
    /// An event at a time.
    pub fn new(
        kind: TelemetryEventKind,
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

/// Kind and fields of a telemetry event.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum TelemetryEventKind {
    /// A client started.
    SessionStart,
    /// A client ended.
    SessionEnd {
        /// Run time in the notation of the official client: `0:00:01.500000`.
        #[serde(default)]
        duration: Option<String>,
    },
    /// An error that the user did not cause.
    UnhandledException {
        /// Type of the error.
        error_type: String,
        /// Message of the error.
        error_message: String,
        /// Stack trace.
        #[serde(default)]
        traceback: Option<String>,
    },
    /// Any other event.
    GenericEvent {
        /// Name of the event.
        event_name: String,
        /// Fields of the event.
        #[serde(default)]
        event_data: BTreeMap<String, Value>,
    },
}
