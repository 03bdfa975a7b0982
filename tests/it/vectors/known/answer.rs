//! Answers of servers where only the telemetry about them was recorded.

use serde_json::{Value, json};

use crate::vectors::message::Message;

/// Status and body.
pub(crate) fn answer(name: &str, route: &[&str], message: &Message) -> Option<(u16, Value)> {
    let case = name.strip_prefix("telemetry/")?;
    if let ["retrieve_future"] = route {
        let is_step = message.text("request_id") == Some(STEP);
        return match case {
            _ if !is_step => None,
            "api_status_error" => Some((404, json!({"detail": "gone"}))),
            "application_error" => Some((200, json!({"error": "bad", "category": "user"}))),
            "unhandled_exception" => Some((200, json!({"metrics": {"a": "text"}}))),
            _ => None,
        };
    }
    match (case, route) {
        (_, ["optim_step"]) => Some((200, json!({"request_id": STEP}))),
        ("endpoint_404" | "endpoint_500" | "user_error_fatal", ["create_sampling_session"]) => {
            Some((404, json!({"detail": "nope"})))
        }
        ("sessionless", ["training_runs", "x"]) => Some((403, json!({"detail": "no"}))),
        _ => None,
    }
}

const STEP: &str = "req-optim-0";
