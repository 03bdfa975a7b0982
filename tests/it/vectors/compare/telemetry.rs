//! Reports: what they say, apart from ids, times and the words of a language.

use serde_json::Value;

use crate::vectors::json::{Rule, difference as json_difference};
use crate::vectors::message::Message;

/// Texts in the words of Python or of ours; both must be there.
const WORDS: [&str; 7] = [
    "detail",
    "error_message",
    "error_type",
    "exception",
    "exception_type",
    "func",
    "message",
];

/// Different each time; both must be there and of one form.
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

/// What only Python has: stacks and classes.
const OF_PYTHON: [&str; 3] = ["exception_stack", "model_cls", "traceback"];

/// How our report differs from the recorded one.
pub(super) fn difference(recorded: &Message, ours: &Message) -> Option<String> {
    let (Some(recorded), Some(ours)) = (recorded.json(), ours.json()) else {
        return Some("a report is not JSON".to_owned());
    };
    let (mut recorded, mut ours) = (recorded.clone(), ours.clone());
    if let Some(events) = recorded["events"].as_array_mut() {
        // Put in by hand, through a part of the official client that is not public.
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

/// Replaces by its form what may differ.
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

/// A value with every digit made a 0 and every letter of a UUID too.
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
                // Trailing zeros of a fraction are written by one and left out by the other.
                Some((whole, _)) => whole.to_owned(),
                None => text.trim_end_matches('Z').to_owned(),
            }
        }
        Value::Number(_) => "number".to_owned(),
        other => other.to_string(),
    }
}
