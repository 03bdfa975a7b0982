//! Telemetry reports, apart from ids, times and the wording of each language.

use serde_json::Value;

use crate::vectors::json::{Rule, difference as json_difference};
use crate::vectors::message::Message;

/// Texts that differ in wording; both must be present.
const WORDS: [&str; 7] = [
    "detail",
    "error_message",
    "error_type",
    "exception",
    "exception_type",
    "func",
    "message",
];

/// Values that differ each time; both must be present and of the same form.
const MEASURED: [&str; 8] = [
    "current_time",
    "duration",
    "elapsed_time",
    "event_id",
    "process_uuid",
    "session_id",
    "start_time",
    "timestamp",
];

/// Fields that exist only in Python: stacks and classes.
const OF_PYTHON: [&str; 3] = ["exception_stack", "model_cls", "traceback"];

/// The differences between our report and the recorded one.
pub(super) fn difference(recorded: &Message, ours: &Message) -> Option<String> {
    let (Some(recorded), Some(ours)) = (recorded.json(), ours.json()) else {
        return Some("a report is not JSON".to_owned());
    };
    let (mut recorded, mut ours) = (recorded.clone(), ours.clone());
    if let Some(events) = recorded["events"].as_array_mut() {
        // Sent by the recording script through a private part of the official client.
        events.retain(|event| !is_by_hand(event));
    }
    for report in [&mut recorded, &mut ours] {
        level(report);
    }
    json_difference(&recorded, &ours, Rule::Exact)
}

fn is_by_hand(event: &Value) -> bool {
    let name = event["event_name"].as_str().unwrap_or_default();
    name.starts_with("demo.")
}

/// Replaces values that may differ by their form.
fn level(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !OF_PYTHON.contains(&key.as_str()));
            for (key, value) in object {
                if WORDS.contains(&key.as_str()) && value.is_string() {
                    *value = "words".into();
                } else if MEASURED.contains(&key.as_str()) {
                    *value = form(value).into();
                } else {
                    level(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(level),
        _ => {}
    }
}

/// A value with every digit, and every letter of a UUID, replaced by 0.
fn form(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains("sess-") => text.clone(),
        Value::String(text) => {
            let is_id = |c: char| c.is_ascii_hexdigit() && (c.is_ascii_digit() || text.len() >= 36);
            let text: String = text
                .chars()
                .map(|c| if is_id(c) { '0' } else { c })
                .collect();
            match text.rsplit_once('.') {
                // One client writes the trailing zeros of a fraction, the other omits them.
                Some((whole, _)) => whole.to_owned(),
                None => text.trim_end_matches('Z').to_owned(),
            }
        }
        Value::Number(_) => "number".to_owned(),
        other => other.to_string(),
    }
}
