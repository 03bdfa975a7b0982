//! The members of an object while a row is read.

use super::error::ErrorKind;
use super::notes::Notes;
use super::value_error::ValueError;
use crate::json::Json;

/// Keys whose meaning would be lost if they were ignored, with the correction.
const MEANINGFUL: [(&str, &str); 29] = [
    ("tool_calls", TOOLS),
    ("function_call", TOOLS),
    ("tools", TOOLS),
    ("functions", TOOLS),
    ("weight", WEIGHT),
    ("weights", WEIGHT),
    ("train", WEIGHT),
    ("training", WEIGHT),
    ("loss", WEIGHT),
    ("mask", WEIGHT),
    ("loss_mask", WEIGHT),
    (
        "label",
        "remove the rows with a negative label, then the column",
    ),
    ("labels", WEIGHT),
    ("reasoning_content", REASONING),
    ("reasoning", REASONING),
    ("thinking", REASONING),
    ("image", MEDIA),
    ("images", MEDIA),
    ("audio", MEDIA),
    ("audios", MEDIA),
    ("video", MEDIA),
    ("videos", MEDIA),
    ("documents", DOCUMENTS),
    (
        "system",
        "write it as a first message with the role \"system\"",
    ),
    ("history", "write the earlier turns as messages"),
    ("chosen", "choose --format preference, or remove the column"),
    (
        "rejected",
        "choose --format preference, or remove the column",
    ),
    ("chat_template_kwargs", "use the chat format (\"messages\")"),
    ("refusal", "write the text as \"content\""),
];

const TOOLS: &str = "use the chat format: \"tools\" beside \"messages\", \"tool_calls\" in messages of the assistant";
const WEIGHT: &str = "give \"weight\" 0 or 1 to messages of the assistant in the chat format";
const REASONING: &str =
    "give \"reasoning_content\" to messages of the assistant in the chat format";
const DOCUMENTS: &str = "write the documents into a message";
const MEDIA: &str = "remove the column and the rows that need it; only text is supported";

/// The members of an object. What is taken is gone; [`Self::finish`] accounts for the rest.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, Json)>);

impl Fields {
    /// The members of a value, which has to be an object.
    pub(super) fn new(value: Json, expected: &str) -> Result<Self, ValueError> {
        match value {
            Json::Object(members) => Ok(Self(members)),
            other => Err(ValueError::new(
                ErrorKind::Value,
                format!("is {}, not an object", other.kind()),
                format!("give {expected}"),
            )),
        }
    }

    /// Whether the object has the key with a value other than `null`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The value of a key, unless it is `null`.
    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
            .filter(|value| **value != Json::Null)
    }

    /// Takes the value of a key, unless it is `null`.
    pub(super) fn take(&mut self, key: &str) -> Option<Json> {
        let (_, value) = self.0.iter_mut().find(|(name, _)| name == key)?;
        Some(std::mem::take(value)).filter(|value| *value != Json::Null)
    }

    /// Takes the text of a key; `None` if the key is missing or `null`.
    pub(super) fn optional_text(&mut self, key: &str) -> Result<Option<String>, ValueError> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(not_text(key, &other)),
        }
    }

    /// Takes the text of a key.
    pub(super) fn text(&mut self, key: &str) -> Result<String, ValueError> {
        let is_null = self.0.iter().any(|(name, _)| name == key);
        match self.optional_text(key)? {
            Some(text) => Ok(text),
            None if is_null => Err(not_text(key, &Json::Null)),
            None => Err(missing(key)),
        }
    }

    /// Takes the list of a key. A list that is written as JSON text, as in a table, is parsed.
    pub(super) fn list(&mut self, key: &str) -> Result<Vec<Json>, ValueError> {
        match self.optional_list(key)? {
            Some(list) => Ok(list),
            None => Err(missing(key)),
        }
    }

    /// Takes the list of a key; `None` if the key is missing or `null`.
    pub(super) fn optional_list(&mut self, key: &str) -> Result<Option<Vec<Json>>, ValueError> {
        let value = match self.take(key) {
            None => return Ok(None),
            Some(Json::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Json::String(text)) => embedded(&text).ok_or_else(|| {
                ValueError::new(
                    ErrorKind::Value,
                    format!("has text as {key:?} that is not a list in JSON"),
                    "write a list, or a list as JSON text",
                )
                .at_key(key)
            })?,
            Some(value) => value,
        };
        match value {
            Json::Array(list) => Ok(Some(list)),
            other => Err(ValueError::new(
                ErrorKind::Value,
                format!("has {} as {key:?}, not a list", other.kind()),
                "give a list",
            )
            .at_key(key)),
        }
    }

    /// The keys, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// Refuses pictures, sound and documents.
    pub(super) fn refuse_media(&self) -> Result<(), ValueError> {
        let mut members = self.0.iter();
        let media = members.find(|(key, value)| {
            let is_media =
                |(name, fix): &(&str, &str)| name == key && [MEDIA, DOCUMENTS].contains(fix);
            !is_neutral(value) && MEANINGFUL.iter().any(is_media)
        });
        media.map_or(Ok(()), |(key, _)| Err(lost(key, MEDIA)))
    }

    /// All members that were not taken and are not `null`.
    pub(super) fn rest(self) -> Vec<(String, Json)> {
        let members = self.0.into_iter();
        members.filter(|(_, value)| *value != Json::Null).collect()
    }

    /// Refuses keys that were not taken and have a meaning, and counts the others as ignored. `object` is the kind of
    /// object, empty for the row.
    pub(super) fn finish(self, object: &str, notes: &mut Notes) -> Result<(), ValueError> {
        for (key, value) in self.0 {
            if is_neutral(&value) {
                continue;
            }
            // A number or a name is a class, of which nothing is learned; true and false say whether to learn.
            if key == "label" && !matches!(value, Json::Bool(_)) {
                notes.ignore(object, &key);
                continue;
            }
            if let Some((_, fix)) = MEANINGFUL.iter().find(|(name, _)| *name == key) {
                return Err(lost(&key, fix));
            }
            notes.ignore(object, &key);
        }
        Ok(())
    }
}

/// A value in JSON inside of a text.
pub(super) fn embedded(text: &str) -> Option<Json> {
    let is_json = text.trim_start().starts_with(['[', '{']);
    is_json.then(|| serde_json::from_str(text).ok()).flatten()
}

fn lost(key: &str, fix: &str) -> ValueError {
    let reason = format!("has {key:?}, which would be lost");
    ValueError::new(ErrorKind::Unsupported, reason, fix).at_key(key)
}

fn missing(key: &str) -> ValueError {
    let (reason, fix) = (format!("has no {key:?}"), format!("add {key:?}"));
    ValueError::new(ErrorKind::Missing, reason, fix)
}

fn not_text(key: &str, value: &Json) -> ValueError {
    ValueError::new(
        ErrorKind::Value,
        format!("has {} as {key:?}, not text", value.kind()),
        format!("write the value of {key:?} as text in quotes"),
    )
    .at_key(key)
}

/// Whether a value has no content, so that nothing is lost with it.
fn is_neutral(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}
