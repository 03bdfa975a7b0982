//! Prices of a model, from a file of the user.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tinker_train::Prices;

use crate::exit::Usage;

/// Keys that date a file of prices.
const DATES: [&str; 5] = ["date", "as_of", "updated", "updated_at", "last_updated"];
/// Keys that name the model of an entry.
const NAMES: [&str; 5] = ["model", "model_name", "base_model", "name", "id"];

/// The prices of one model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PriceList {
    pub(super) prices: Prices,
    /// Date that the file gives, else that of its last change.
    pub(super) date: String,
    pub(super) path: PathBuf,
}

impl PriceList {
    /// Reads the prices of a model: an object with the keys prefill, sample and train, under the name of the model or
    /// with its name in a field. Prices are numbers or texts such as "$1.87", per million tokens.
    ///
    /// # Errors
    /// A file that cannot be read, or without a price of the model.
    pub(super) fn read(path: &Path, model: &str) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read(path).with_context(|| format!("--prices: cannot read {shown}"))?;
        let document: Value = serde_json::from_slice(&text)
            .map_err(|error| Usage(format!("--prices: {shown} is not JSON: {error}")))?;
        let mut known = Vec::new();
        let entry = find(&document, model, &mut known).ok_or_else(|| {
            known.sort_unstable();
            known.dedup();
            Usage(format!(
                "--prices: {shown} has no prices of {model:?}; it has {}",
                known.join(", ")
            ))
        })?;
        let price = |kind: &str| {
            price(entry, kind).ok_or_else(|| {
                Usage(format!("--prices: {shown} has no price to {kind} with {model:?}; add \"{kind}\" in US dollars per million tokens"))
            })
        };
        let prices = Prices::new(price("prefill")?, price("sample")?, price("train")?);
        let named = DATES.iter().find_map(|key| document.get(key)?.as_str());
        let changed = || {
            let time = std::fs::metadata(path)
                .and_then(|file| file.modified())
                .ok()?;
            let day = Timestamp::try_from(time)
                .ok()?
                .strftime("%Y-%m-%d")
                .to_string();
            Some(format!("{day}, when the file was changed last"))
        };
        let date = named
            .map(str::to_owned)
            .or_else(changed)
            .unwrap_or_else(|| "an unknown date".to_owned());
        Ok(Self {
            prices,
            date,
            path: path.to_owned(),
        })
    }
}

/// The entry of a model, anywhere in the document. Collects the names of the entries.
fn find<'a>(
    value: &'a Value,
    model: &str,
    known: &mut Vec<String>,
) -> Option<&'a Map<String, Value>> {
    match value {
        Value::Array(values) => values.iter().find_map(|value| find(value, model, known)),
        Value::Object(object) => {
            let name = NAMES.iter().find_map(|key| object.get(*key)?.as_str());
            if let Some(name) = name.filter(|_| has_prices(object)) {
                known.push(name.to_owned());
                if name == model {
                    return Some(object);
                }
            }
            object.iter().find_map(|(key, value)| {
                if let Some(entry) = value.as_object().filter(|entry| has_prices(entry)) {
                    known.push(key.clone());
                    if key == model {
                        return Some(entry);
                    }
                }
                find(value, model, known)
            })
        }
        _ => None,
    }
}

fn has_prices(object: &Map<String, Value>) -> bool {
    ["prefill", "sample", "train"]
        .iter()
        .any(|kind| price(object, kind).is_some())
}

/// The price of a kind of tokens. A price of cached tokens is not used: how many are cached is not known before.
fn price(entry: &Map<String, Value>, kind: &str) -> Option<f64> {
    let mut found = entry.iter().filter(|(key, _)| {
        let key = key.to_ascii_lowercase();
        key.contains(kind) && !key.contains("cache")
    });
    let price = found.find_map(|(_, value)| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().trim_start_matches('$').trim().parse().ok(),
        _ => None,
    });
    price.filter(|price| price.is_finite() && *price >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PriceList, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.json");
        std::fs::write(&path, text).unwrap();
        PriceList::read(&path, "a/b").map_err(|error| error.to_string())
    }

    #[test]
    fn prices_are_found_by_key_or_by_name() {
        let by_key = r#"{"date": "2026-01-02", "models": {"a/b": {"prefill": "$0.10", "cached_prefill": "$0.01", "sample": 0.5, "train": "$1.87"}}}"#;
        let by_name = r#"{"date": "2026-01-02", "data": [{"name": "c", "prefill": 9}, {"name": "a/b", "prefill_price": "0.10", "sample_price": "0.5", "train_price": "1.87"}]}"#;
        for text in [by_key, by_name] {
            let list = read(text).unwrap();
            assert_eq!(list.prices, Prices::new(0.1, 0.5, 1.87));
            assert_eq!(list.date, "2026-01-02");
        }
        let undated = read(r#"{"a/b": {"prefill": 1, "sample": 2, "train": 3}}"#).unwrap();
        assert!(
            undated.date.ends_with("when the file was changed last"),
            "{}",
            undated.date
        );
    }

    #[test]
    fn missing_prices_are_named() {
        let missing = read(r#"{"c": {"prefill": 1, "sample": 2, "train": 3}}"#).unwrap_err();
        assert!(
            missing.contains("no prices of \"a/b\"; it has c"),
            "{missing}"
        );
        let part = read(r#"{"a/b": {"prefill": 1, "sample": "free", "train": 3}}"#).unwrap_err();
        assert!(part.contains("no price to sample with \"a/b\""), "{part}");
        assert!(read("[").unwrap_err().contains("is not JSON"));
    }
}
