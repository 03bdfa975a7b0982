//! Audit log of changes to checkpoints, runs, sessions and projects.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use tinker_types::{CheckpointPath, ModelId, SessionId};

use crate::bounded::bounded;
use crate::clock;

/// Most entries kept; beyond it the oldest are dropped.
const KEPT: usize = 10_000;

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Entry {
    timestamp: Timestamp,
    event: &'static str,
    event_details: BTreeMap<&'static str, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tinker_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'static str>,
}

impl Entry {
    /// An event at the current time. Its name is `<resource>_<action>`.
    pub(crate) fn new(event: &'static str) -> Self {
        Self {
            timestamp: clock::calendar(),
            event,
            event_details: BTreeMap::new(),
            model_id: None,
            tinker_path: None,
            purpose: None,
        }
    }

    pub(crate) fn of_model(mut self, model: &ModelId) -> Self {
        self.model_id = Some(model.to_string());
        self
    }

    pub(crate) fn of_checkpoint(mut self, path: &CheckpointPath) -> Self {
        self.tinker_path = Some(path.to_string());
        self.of_model(path.run())
    }

    /// The session of the event, if it has one.
    pub(crate) fn session(&self) -> Option<SessionId> {
        if let Some(model) = &self.model_id {
            return Some(ModelId::from(model.as_str()).session());
        }
        let id = self.event_details.get("session_id")?.as_str()?;
        Some(SessionId::from(id))
    }

    pub(crate) fn for_purpose(mut self, purpose: &'static str) -> Self {
        self.purpose = Some(purpose);
        self
    }

    pub(crate) fn with_detail(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => bounded(text).into(),
            other => other,
        };
        self.event_details.insert(name, value);
        self
    }
}

/// The last events of this process. Not kept across restarts.
#[derive(Debug, Default)]
pub(crate) struct AuditTrail {
    entries: Mutex<VecDeque<Entry>>,
}

impl AuditTrail {
    pub(crate) fn note(&self, entry: Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The events of one UTC day whose names begin with `prefix`, in the order they happened.
    pub(crate) fn of_day(&self, day: Date, prefix: &str) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |entry: &&Entry| {
            entry.event.starts_with(prefix)
                && TimeZone::UTC.to_datetime(entry.timestamp).date() == day
        };
        entries.iter().filter(fits).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_a_kind_are_picked_and_the_oldest_go() {
        let trail = AuditTrail::default();
        let path: CheckpointPath = "tinker://s:train:0/weights/a".parse().unwrap();
        let mut old = Entry::new("checkpoint_created").of_checkpoint(&path);
        old.timestamp = "2026-01-02T23:59:59Z".parse().unwrap();
        trail.note(old);
        trail.note(Entry::new("session_created").with_detail("session_id", "s"));
        let day = |text: &str, prefix| trail.of_day(text.parse().unwrap(), prefix).len();
        let today = TimeZone::UTC
            .to_datetime(clock::calendar())
            .date()
            .to_string();
        assert_eq!(day("2026-01-02", ""), 1);
        assert_eq!((day(&today, ""), day(&today, "checkpoint_")), (1, 0));
        for _ in 0..KEPT {
            trail.note(Entry::new("session_created"));
        }
        assert_eq!(day("2026-01-02", ""), 0);
    }

    #[test]
    fn an_entry_reads_as_one_of_the_audit_log() {
        let path: CheckpointPath = "tinker://s:train:0/weights/a".parse().unwrap();
        let entry = Entry::new("checkpoint_read")
            .of_checkpoint(&path)
            .for_purpose("training")
            .with_detail("bytes", 3);
        let read: tinker_types::AuditEntry =
            serde_json::from_value(serde_json::to_value(entry).unwrap()).unwrap();
        assert_eq!(
            (read.event.as_str(), read.model_id.as_deref()),
            ("checkpoint_read", Some("s:train:0"))
        );
        assert_eq!(read.purpose.as_deref(), Some("training"));
    }
}
