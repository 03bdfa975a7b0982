//! Recordings: the call of the official client, its requests, the answers, its result.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::exchange::Exchange;
use super::sent::Sent;

/// A recording, as stored in its file.
#[derive(Debug, Deserialize)]
pub(crate) struct Vector {
    /// Name: folder and file, `area/case`.
    #[serde(rename = "case")]
    pub(crate) name: String,
    /// A sketch of the Python call.
    #[serde(default, rename = "sdk_call")]
    sketch: Option<String>,
    /// The server's answer to `client/config`.
    #[serde(default, rename = "client_config_served")]
    pub(crate) client_config: Option<Value>,
    /// The exchanges in the order of arrival.
    #[serde(default)]
    pub(crate) exchanges: Vec<Exchange>,
    #[serde(default, rename = "sdk_result")]
    pub(crate) result: Option<Value>,
    #[serde(default, rename = "sdk_error")]
    pub(crate) error: Option<RecordedError>,
    /// Parts that only some recordings have.
    #[serde(flatten)]
    pub(crate) extra: BTreeMap<String, Value>,
}

/// The exception raised by the official client.
#[derive(Debug, Deserialize)]
pub(crate) struct RecordedError {
    #[serde(rename = "type")]
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) status_code: Option<u16>,
    pub(crate) category: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) body: Option<Value>,
    pub(crate) cause: Option<String>,
}

impl Vector {
    pub(crate) fn sketch(&self) -> &str {
        self.sketch.as_deref().unwrap_or_default()
    }

    pub(crate) fn area(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Recorded exchanges, each with the requests of our client for it, in the order of sending.
    pub(crate) fn pairs<'a>(
        &'a self,
        sent: &'a [Sent],
    ) -> impl Iterator<Item = (usize, &'a Exchange, &'a Sent)> + Clone {
        sent.iter().filter_map(|sent| {
            let index = sent.recorded()?;
            Some((index, &self.exchanges[index], sent))
        })
    }

    /// The number behind `word` in the sketch: `sleep 21`, `timeout=0.5`.
    pub(crate) fn number_after(&self, word: &str) -> Option<f64> {
        let (_, rest) = self.sketch().split_once(word)?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        rest[..end].parse().ok()
    }
}

/// Every recording, by name.
pub(crate) fn load_all() -> Result<Vec<Vector>, Box<dyn Error>> {
    let mut vectors = Vec::new();
    for area in sorted(&folder())? {
        if area.is_dir() {
            for file in sorted(&area)? {
                vectors.push(load(&file)?);
            }
        }
    }
    Ok(vectors)
}

fn load(file: &Path) -> Result<Vector, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// The text of one recording's file.
pub(crate) fn text_of(name: &str) -> std::io::Result<String> {
    fs::read_to_string(folder().join(format!("{name}.json")))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors")
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}
