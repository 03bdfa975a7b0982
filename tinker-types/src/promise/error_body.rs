//! Bodies of error responses.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of a 4xx or 5xx response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// Description of the error: usually a string, sometimes an object.
    pub detail: Value,
}

impl ErrorBody {
    /// An error with a message.
    pub fn new(detail: impl Into<String>) -> Self {
        Self {
            detail: Value::String(detail.into()),
        }
    }
}

/// Who can fix a failed operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ErrorCategory {
    /// Not reported, or a category this version does not have.
    #[default]
    Unknown,
    /// The operator of the server.
    Server,
    /// The user: the same request will fail again.
    User,
}

impl<'de> Deserialize<'de> for ErrorCategory {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Values of any other type count as unknown, so that decoding never hides the error itself.
        Ok(match Value::deserialize(deserializer)?.as_str() {
            Some("server") => Self::Server,
            Some("user") => Self::User,
            _ => Self::Unknown,
        })
    }
}
