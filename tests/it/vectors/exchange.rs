//! Recorded exchanges.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::body::Body;

/// A request and its answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Exchange {
    /// Number in the order of arrival; numbers of requests that were left out of the recording are missing.
    pub(crate) n: u64,
    /// Seconds since the server started.
    #[serde(rename = "t_s")]
    pub(crate) at: f64,
    pub(crate) request: Asked,
    /// `None` if the client did not wait for the answer.
    pub(crate) response: Option<Answer>,
}

/// A request of the official client.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default, rename = "query_params")]
    pub(crate) query: Vec<(String, String)>,
    /// Headers by name in lower case.
    #[serde(deserialize_with = "lower_case")]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Body,
}

/// An answer of the server.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) status: Option<u16>,
    #[serde(default, deserialize_with = "lower_case")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Body,
    #[serde(default)]
    delayed_s: f64,
    /// Whether the server closed the connection instead.
    #[serde(default, rename = "connection_closed_without_response")]
    pub(crate) hung_up: bool,
}

impl Exchange {
    /// When the answer was sent, in seconds since the server started.
    pub(crate) fn answered_at(&self) -> f64 {
        self.at
            + self
                .response
                .as_ref()
                .map_or(0.0, |answer| answer.delayed_s)
    }

    /// Status of the answer; 0 without one.
    pub(crate) fn status(&self) -> u16 {
        self.response
            .as_ref()
            .and_then(|answer| answer.status)
            .unwrap_or(0)
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status())
    }
}

impl Asked {
    /// The segments of the path below `/api/v1/`; none for other paths.
    pub(crate) fn route(&self) -> Vec<&str> {
        route(&self.path)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl Answer {
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.delayed_s)
    }
}

/// The segments of a path below `/api/v1/`; none for other paths.
pub(crate) fn route(path: &str) -> Vec<&str> {
    match path.split_once("/api/v1/") {
        Some((_, rest)) => rest.split('/').collect(),
        None => Vec::new(),
    }
}

fn lower_case<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let headers = BTreeMap::<String, String>::deserialize(deserializer)?;
    Ok(headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect())
}
