//! Recipe files: the settings of a run in TOML, without sections.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;
use toml_edit::{Document, Item, Value};

use crate::exit::Usage;

/// The settings of a recipe file, in order.
#[derive(Debug, Clone)]
pub(super) struct RecipeFile {
    pub(super) entries: Vec<Entry>,
}

/// A setting of a recipe file or of `--set`.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Name of the option, with underscores.
    pub(super) key: String,
    /// Values as they would be typed.
    pub(super) values: Vec<OsString>,
    /// File and line, or `--set`.
    pub(super) place: String,
}

impl RecipeFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, is not TOML, or has sections or dates. The line is named.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let document = Document::parse(text.as_str()).map_err(|error| {
            let at = error.span().map_or(1, |span| line(span.start));
            Usage(format!("{shown}:{at}: {}", error.message()))
        })?;
        let mut entries = Vec::new();
        for (key, item) in document.as_table() {
            let spans = document.as_table().key(key);
            let at = spans
                .and_then(toml_edit::Key::span)
                .map_or(1, |span| line(span.start));
            let place = format!("{shown}:{at}");
            let Item::Value(value) = item else {
                let message = format!(
                    "{place}: {key} is a section; settings stand at the top level, as `{key} = VALUE`"
                );
                return Err(Usage(message).into());
            };
            entries.push(Entry::new(key, value, place)?);
        }
        Ok(Self { entries })
    }

    /// The recipe that the file names.
    pub(super) fn recipe(&self) -> Option<String> {
        let named = self.entries.iter().find(|entry| entry.key == "recipe")?;
        Some(named.values.first()?.to_string_lossy().into_owned())
    }
}

impl Entry {
    fn new(key: &str, value: &Value, place: String) -> Result<Self, Usage> {
        let values = match value {
            Value::Array(values) => values.iter().map(scalar).collect::<Option<Vec<_>>>(),
            one => scalar(one).map(|value| vec![value]),
        };
        let values = values.ok_or_else(|| {
            Usage(format!(
                "{place}: {key} is a {}; give a text, a number, true or false, or a list",
                value.type_name()
            ))
        })?;
        let key = key.replace('-', "_");
        Ok(Self { key, values, place })
    }
}

fn scalar(value: &Value) -> Option<OsString> {
    let text = match value {
        Value::String(text) => text.value().clone(),
        Value::Integer(number) => number.value().to_string(),
        Value::Float(number) => number.value().to_string(),
        Value::Boolean(flag) => flag.value().to_string(),
        _ => return None,
    };
    Some(text.into())
}

/// `KEY=VALUE` of `--set`. The value is TOML, else text.
pub(super) fn of_assignment(text: &str) -> Result<Entry, Usage> {
    let place = format!("--set {text}");
    let Some((key, value)) = text.split_once('=') else {
        return Err(Usage(format!(
            "{place}: write it as KEY=VALUE, for example rank=8"
        )));
    };
    let value = value.trim();
    let value = value
        .parse::<Value>()
        .unwrap_or_else(|_| Value::from(value));
    Entry::new(key.trim(), &value, place)
}

/// The known name that differs least from a misspelt one, if any is close.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let close = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let best = close.max_by(|first, second| first.0.total_cmp(&second.0))?;
    (best.0 > 0.75).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Vec<OsString>, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.toml");
        std::fs::write(&path, text).unwrap();
        let file = RecipeFile::read(&path).map_err(|error| {
            error
                .to_string()
                .replace(&path.display().to_string(), "r.toml")
        })?;
        let entries = file.entries.into_iter();
        Ok(entries
            .map(|entry| {
                (
                    entry.key,
                    entry.values,
                    entry.place.rsplit(':').next().unwrap().to_owned(),
                )
            })
            .collect())
    }

    #[test]
    fn entries_are_values_with_their_line() {
        let entries = read(
            "# first\ndata = [\"a\", \"b\"]\nbatch-size = 8\nlearning_rate = 1e-3\nlocal = true\n",
        )
        .unwrap();
        let entry = |key: &str, values: &[&str], line: &str| {
            (
                key.to_owned(),
                values.iter().map(OsString::from).collect(),
                line.to_owned(),
            )
        };
        assert_eq!(
            entries,
            [
                entry("data", &["a", "b"], "2"),
                entry("batch_size", &["8"], "3"),
                entry("learning_rate", &["0.001"], "4"),
                entry("local", &["true"], "5"),
            ]
        );
    }

    #[test]
    fn sections_and_errors_are_named_with_their_line() {
        assert!(
            read("a = 1\n[training]\nrank = 2\n")
                .unwrap_err()
                .starts_with("r.toml:2: training is a section")
        );
        assert!(read("a = 1\nb = \n").unwrap_err().starts_with("r.toml:2: "));
        assert!(
            read("a = 2020-01-01\n")
                .unwrap_err()
                .contains("r.toml:1: a is a datetime")
        );
    }

    #[test]
    fn assignments_are_toml_or_text() {
        let values = |text: &str| of_assignment(text).unwrap().values;
        assert_eq!(values("a=1.5"), ["1.5"]);
        assert_eq!(values("a=[1, 2]"), ["1", "2"]);
        assert_eq!(values("a=regex:x=1"), ["regex:x=1"]);
        assert!(of_assignment("a").is_err());
    }

    #[test]
    fn a_misspelt_name_has_a_nearest_one() {
        let known = ["learning_rate", "rank", "batch_size"];
        assert_eq!(
            nearest("lerning_rate", known.into_iter()),
            Some("learning_rate")
        );
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }
}
