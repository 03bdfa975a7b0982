//! What an error answer says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of a 4xx or 5xx answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// What went wrong: usually a text, sometimes an object.
    pub detail: Value,
}

impl Problem {
    /// A problem told in words.
    pub fn new(detail: impl Into<String>) -> Self {
        Self {
            detail: Value::String(detail.into()),
        }
    }
}

/// Whose fault a failed operation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ErrorCategory {
    /// Not said, or said in a way this version does not know.
    #[default]
    Unknown,
    /// The server.
    Server,
    /// The request: the same request will fail again.
    User,
}

impl<'de> Deserialize<'de> for ErrorCategory {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Anything unexpected, of whatever type, counts as unknown: an error must never hide an error.
        Ok(match Value::deserialize(deserializer)?.as_str() {
            Some("server") => Self::Server,
            Some("user") => Self::User,
            _ => Self::Unknown,
        })
    }
}
