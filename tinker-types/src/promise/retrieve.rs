//! Fetching the results of promises.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::wire::endpoint;
use crate::{ErrorCategory, InvalidValue, RequestId};

/// Requests the result of a promise. The server holds the request for a while if the result is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RetrieveFuture {
    /// The promise.
    pub request_id: RequestId,
    /// Allows the server to answer with the size of a large result only, see [`Retrieved::SizeOnly`].
    #[serde(default)]
    pub allow_metadata_only: bool,
}

impl RetrieveFuture {
    /// Requests the result itself.
    pub fn new(request_id: RequestId) -> Self {
        Self {
            request_id,
            allow_metadata_only: false,
        }
    }

    crate::setters! {
        /// Sets [`Self::allow_metadata_only`].
        with_metadata_only(allowed: bool) => allow_metadata_only = allowed;
    }
}

endpoint!(RetrieveFuture => Value, "retrieve_future");

/// Cancels a promise whose result is no longer needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CancelFuture {
    /// The promise.
    pub request_id: RequestId,
}

impl CancelFuture {
    /// Cancels one promise.
    pub fn new(request_id: RequestId) -> Self {
        Self { request_id }
    }
}

endpoint!(CancelFuture => serde::de::IgnoredAny, "cancel_future");

/// State of a promise in the queue of the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueueState {
    /// In progress.
    Active,
    /// Paused: the server lacks capacity.
    PausedCapacity,
    /// Paused: a limit on concurrent use is reached.
    PausedRateLimit,
    /// A state this version does not have.
    #[serde(untagged)]
    Other(String),
}

impl QueueState {
    /// Name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::PausedCapacity => "paused_capacity",
            Self::PausedRateLimit => "paused_rate_limit",
            Self::Other(state) => state,
        }
    }
}

impl fmt::Display for QueueState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// State of a promise that is not fulfilled yet.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct QueueStatus {
    /// State in the queue.
    #[serde(default)]
    pub queue_state: Option<QueueState>,
    /// Explanation for people.
    #[serde(default)]
    pub queue_state_reason: Option<String>,
}

/// JSON responses to [`RetrieveFuture`], in the order in which they must be tested.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Retrieved {
    /// Not ready: poll again immediately.
    TryAgain(QueueStatus),
    /// Ready, with this size: reserve the bytes, then request the payload.
    SizeOnly {
        /// Size of the payload.
        bytes: u64,
    },
    /// The operation failed.
    Failed {
        /// Message of the server.
        error: String,
        /// Who can fix it.
        category: ErrorCategory,
    },
    /// The result of an operation whose result is JSON.
    Done(Value),
}

impl Retrieved {
    /// Classifies a response.
    ///
    /// # Errors
    /// The body is not a JSON object.
    pub fn from_json(body: Value) -> Result<Self, InvalidValue> {
        let Value::Object(object) = &body else {
            return Err(InvalidValue::new(
                "",
                "the response to a poll must be a JSON object",
            ));
        };
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        if text("type") == Some("try_again") {
            return Ok(Self::TryAgain(
                serde_json::from_value(body).unwrap_or_default(),
            ));
        }
        if text("status") == Some("complete_metadata") {
            let bytes = object
                .get("response_payload_size")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            return Ok(Self::SizeOnly { bytes });
        }
        if let Some(error) = object.get("error").filter(|error| !error.is_null()) {
            let error = error
                .as_str()
                .map_or_else(|| error.to_string(), str::to_owned);
            let category = object.get("category").cloned().unwrap_or_default();
            let category = serde_json::from_value(category).unwrap_or_default();
            return Ok(Self::Failed { error, category });
        }
        Ok(Self::Done(body))
    }

    /// The JSON body of this response.
    pub fn to_json(&self, request_id: &RequestId) -> Value {
        match self {
            Self::TryAgain(waiting) => {
                let mut body = serde_json::json!(waiting);
                body["type"] = "try_again".into();
                body["request_id"] = request_id.as_str().into();
                body
            }
            Self::SizeOnly { bytes } => {
                serde_json::json!({ "status": "complete_metadata", "response_payload_size": bytes })
            }
            Self::Failed { error, category } => {
                serde_json::json!({ "error": error, "category": category })
            }
            Self::Done(value) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_failure_wins_over_a_result_and_odd_categories_are_unknown() {
        for (category, read) in [
            (json!("user"), ErrorCategory::User),
            (json!("server"), ErrorCategory::Server),
            (json!("User"), ErrorCategory::Unknown),
            (json!(null), ErrorCategory::Unknown),
            (json!(3), ErrorCategory::Unknown),
        ] {
            let body = json!({"error": "bad input", "category": category, "path": "x"});
            let failed = Retrieved::Failed {
                error: "bad input".into(),
                category: read,
            };
            assert_eq!(Retrieved::from_json(body).unwrap(), failed);
        }
        let result = json!({"error": null, "path": "x"});
        assert_eq!(
            Retrieved::from_json(result.clone()).unwrap(),
            Retrieved::Done(result)
        );
        assert!(Retrieved::from_json(json!(null)).is_err());
        assert_eq!(
            Retrieved::from_json(json!({})).unwrap(),
            Retrieved::Done(json!({}))
        );
    }

    #[test]
    fn waiting_says_why() {
        let body =
            json!({"type": "try_again", "request_id": "r", "queue_state": "paused_capacity"});
        let waiting = QueueStatus {
            queue_state: Some(QueueState::PausedCapacity),
            queue_state_reason: None,
        };
        assert_eq!(
            Retrieved::from_json(body.clone()).unwrap(),
            Retrieved::TryAgain(waiting.clone())
        );
        assert_eq!(Retrieved::TryAgain(waiting).to_json(&"r".into()), body);
        let newer = json!({"type": "try_again", "queue_state": "napping"});
        let Retrieved::TryAgain(waiting) = Retrieved::from_json(newer).unwrap() else {
            panic!()
        };
        assert_eq!(
            waiting.queue_state,
            Some(QueueState::Other("napping".into()))
        );
    }
}
