//! Recorded bodies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

/// A body in one of the forms of the recordings.
#[derive(Debug, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Body {
    #[default]
    Empty,
    Json {
        json: Value,
        /// The exact text, unless it is long.
        raw: Option<String>,
    },
    Protobuf {
        size: usize,
        /// Absent for long bodies.
        raw_base64: Option<String>,
        #[serde(default)]
        decoded: Value,
    },
    Text {
        text: String,
    },
    Bytes {
        raw_base64: String,
    },
}

impl Body {
    /// The bytes on the wire.
    pub(crate) fn wire(&self) -> Result<Bytes, String> {
        match self {
            Self::Empty => Ok(Bytes::new()),
            Self::Json { raw: Some(raw), .. } => Ok(raw.clone().into()),
            Self::Json { json, .. } => Ok(json.to_string().into()),
            Self::Text { text } => Ok(text.clone().into()),
            Self::Bytes { raw_base64 } => decoded(raw_base64),
            Self::Protobuf {
                raw_base64: Some(raw),
                ..
            } => decoded(raw),
            Self::Protobuf { .. } => Err("only a digest of the body was recorded".to_owned()),
        }
    }

    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json { json, .. } => Some(json),
            _ => None,
        }
    }
}

fn decoded(base64: &str) -> Result<Bytes, String> {
    STANDARD
        .decode(base64)
        .map(Bytes::from)
        .map_err(|error| format!("a recorded body is no base64: {error}"))
}
