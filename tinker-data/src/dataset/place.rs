//! Places of values inside a record: a path of keys and indices, and its column in the text.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One step from a value to a value inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The value of a key.
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// A path as people write it: `messages[0].tool_calls`.
pub(super) fn display(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => {
                let _infallible = write!(text, "[{index}]");
            }
        }
    }
    text
}

/// Byte offset in the JSON text `json` of the value at `path`, or of its key; of the innermost value that exists if
/// the path leads further.
pub(super) fn offset(json: &str, path: &[Step]) -> usize {
    let mut value = json;
    let mut at = json.len() - json.trim_start().len();
    for (depth, step) in path.iter().enumerate() {
        let is_last = depth + 1 == path.len();
        let found = match step {
            Step::Key(key) => serde_json::from_str::<Members<'_>>(value)
                .ok()
                .and_then(|members| members.0.into_iter().find(|(name, _)| name == key)),
            Step::Index(index) => serde_json::from_str::<Vec<&RawValue>>(value)
                .ok()
                .and_then(|elements| elements.get(*index).copied())
                .map(|element| (Cow::Borrowed(""), element)),
        };
        let Some((key, raw)) = found else {
            return at;
        };
        value = raw.get();
        at = distance(json, value);
        if let (true, Step::Key(_), Cow::Borrowed(key)) = (is_last, step, key) {
            // A key without escapes is borrowed from the text, and its quote is before it.
            at = distance(json, key).saturating_sub(1);
        }
    }
    at
}

/// Column in characters, from 1, of a byte offset.
pub(super) fn column(line: &str, offset: usize) -> usize {
    let bytes = line.as_bytes();
    let before = &bytes[..offset.min(bytes.len())];
    1 + before.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// Offset of a part of `whole` in it.
fn distance(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

/// Members of an object, as text.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_the_text() {
        let json = r#" {"é": 1, "messages": [{"role": "user"}, {"role": "x", "w\u0065ight": 2}]}"#;
        let key = |key: &str| Step::Key(key.to_owned());
        let at = |path: &[Step]| column(json, offset(json, path));
        assert_eq!(at(&[]), 2);
        assert_eq!(at(&[key("é")]), 3);
        assert_eq!(at(&[key("messages"), Step::Index(1)]), 42);
        assert_eq!(at(&[key("messages"), Step::Index(1), key("role")]), 43);
        assert_eq!(
            at(&[key("messages"), Step::Index(1), key("weight")]),
            71,
            "a key with an escape is shown by its value"
        );
        assert_eq!(at(&[key("messages"), Step::Index(1), key("none")]), 42);
        let path = [key("messages"), Step::Index(1), key("role")];
        assert_eq!(display(&path), "messages[1].role");
    }
}
