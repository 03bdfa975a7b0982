//! Results of the official client, in the notation of [`Outcome`](super::outcome::Outcome).

use serde::Deserialize as _;
use serde_json::Value;

use super::vector::{RecordedError, Vector};

/// How the recorded call ended, in the words of [`Outcome::words`](super::outcome::Outcome::words).
pub(crate) fn words(vector: &Vector) -> String {
    match &vector.error {
        // One error for each of several calls that send no request.
        None if vector.extra.contains_key("errors") => "invalid value".to_owned(),
        None => "ok".to_owned(),
        Some(error) => words_of(error, vector.exchanges.is_empty()),
    }
}

fn words_of(error: &RecordedError, nothing_sent: bool) -> String {
    let message = error.message.as_str();
    let class = error.class.rsplit('.').next().unwrap_or_default();
    // "NotFoundError: Error code: 404 - ..." behind a ValueError: the answer to a poll.
    let polled = error.cause.as_deref().and_then(status_in);
    match class {
        "APIResponseValidationError" | "JSONDecodeError" => "answer not understood".to_owned(),
        "RequestFailedError" => {
            format!("failed, {}", error.category.as_deref().unwrap_or_default())
        }
        "RetryableException" => "promise expired".to_owned(),
        "TimeoutError" => "timed out".to_owned(),
        "TinkerError" => "no usable credential".to_owned(),
        "ValueError" if nothing_sent => "invalid value".to_owned(),
        "ValueError" if polled.is_some() => {
            format!("status {} at a poll", polled.unwrap_or_default())
        }
        "RuntimeError" if message.starts_with("whoami requires") => {
            "no usable credential".to_owned()
        }
        "RuntimeError" if message == "user code failed" => "loss failed".to_owned(),
        "RuntimeError" if message.contains("TrainingClient is poisoned") => "poisoned".to_owned(),
        "RuntimeError" if message.starts_with("Trace export failed") => "export failed".to_owned(),
        _ if is_about_the_answer(message) => "answer not understood".to_owned(),
        _ => match error.status_code {
            Some(status) => format!("status {status}"),
            None => format!("crash, {class}"),
        },
    }
}

fn is_about_the_answer(message: &str) -> bool {
    [
        "Proto deserialization failed",
        "Error retrieving result",
        "Server returned a JSON payload",
        "was requested but the server returned",
    ]
    .iter()
    .any(|part| message.contains(part))
}

fn status_in(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("Error code: ")?;
    rest.get(..3)?.parse().ok()
}

/// The outcomes of further calls by name, in recordings with several errors.
pub(crate) fn further(vector: &Vector) -> Result<Vec<(&'static str, String)>, String> {
    let names = [("optim_error", "optim_step"), ("later_error", "forward")];
    let errors = names.into_iter().filter_map(|(key, name)| {
        let error = vector.extra.get(key)?;
        let read = RecordedError::deserialize(error);
        let error = read.map_err(|error| format!("{key}: {error}"));
        Some(error.map(|error| (name, words_of(&error, false))))
    });
    errors.collect()
}

/// The server's message for an error status.
pub(crate) fn detail(error: &RecordedError) -> Option<String> {
    match error.body.as_ref()? {
        Value::String(text) => Some(text.clone()),
        body => body["detail"].as_str().map(str::to_owned),
    }
}

/// `{"TypeName": {..}}` anywhere in a recorded result, in order.
pub(crate) fn typed(result: &Value) -> Vec<(&str, &Value)> {
    match result {
        Value::Object(object) => {
            let only = object.iter().next().filter(|_| object.len() == 1);
            match only {
                Some((name, value)) if name.starts_with(|c: char| c.is_ascii_uppercase()) => {
                    vec![(name, value)]
                }
                _ => object.values().flat_map(typed).collect(),
            }
        }
        Value::Array(items) => items.iter().flat_map(typed).collect(),
        _ => Vec::new(),
    }
}
