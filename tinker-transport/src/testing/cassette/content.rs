//! Recorded bodies in readable form.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

/// A body in its recorded form.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Empty,
    /// Kept as text, so that numbers and the order of fields are preserved.
    Json(Box<RawValue>),
    Text(String),
    Binary(Bytes),
}

impl Content {
    pub(super) fn of(bytes: &Bytes) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Self::Binary(bytes.clone());
        };
        let is_structure = text.trim_start().starts_with(['{', '[']);
        match RawValue::from_string(compact(text)) {
            Ok(raw) if is_structure => Self::Json(raw),
            // Control characters mean that this is not text, even if it decodes.
            _ if text.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
                Self::Binary(bytes.clone())
            }
            _ => Self::Text(text.to_owned()),
        }
    }

    pub(super) fn bytes(&self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Json(raw) => Bytes::copy_from_slice(raw.get().as_bytes()),
            Self::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            Self::Binary(bytes) => bytes.clone(),
        }
    }

    /// Writes the body into a JSON object.
    pub(super) fn write(&self, line: &mut String) {
        let _ = match self {
            Self::Empty => Ok(()),
            Self::Json(raw) => write!(line, r#","json":{}"#, raw.get()),
            Self::Text(text) => write!(line, r#","text":{}"#, Value::from(text.as_str())),
            Self::Binary(bytes) => write!(line, r#","base64":"{}""#, STANDARD.encode(bytes)),
        };
    }

    /// First difference from `other`, if any. JSON is compared by value, without the fields named in
    /// `ignored`.
    pub(super) fn difference(&self, other: &Self, ignored: &[String]) -> Option<String> {
        match (self, other) {
            (Self::Json(ours), Self::Json(theirs)) => {
                let parse = |raw: &RawValue| serde_json::from_str(raw.get()).unwrap_or_default();
                differ(&parse(ours), &parse(theirs), ignored, "")
            }
            _ => (self.bytes() != other.bytes()).then(String::new),
        }
    }
}

/// JSON pointer to the first difference.
fn differ(ours: &Value, theirs: &Value, ignored: &[String], at: &str) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.filter(|key| !ignored.contains(key)).find_map(|key| {
                let at = format!("{at}/{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differ(a, b, ignored, &at),
                    _ => Some(at),
                }
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs
                .into_iter()
                .find_map(|(n, (a, b))| differ(a, b, ignored, &format!("{at}/{n}")))
        }
        _ => (ours != theirs).then(|| at.to_owned()),
    }
}

/// Removes the white space between the tokens of a JSON text: a cassette has one line per exchange.
fn compact(text: &str) -> String {
    let (mut is_string, mut is_escaped) = (false, false);
    text.chars()
        .filter(|c| {
            let is_kept = is_string || !c.is_ascii_whitespace();
            let is_quote = *c == '"' && !is_escaped;
            is_escaped = is_string && *c == '\\' && !is_escaped;
            is_string ^= is_quote;
            is_kept
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Content {
        Content::of(&Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn each_body_takes_the_most_readable_form_it_survives() {
        let pretty = "{\n  \"b\": 0.10000000000000001,\n  \"a b\\\" c\": [1, 2]\n}";
        let Content::Json(raw) = of(pretty.as_bytes()) else {
            panic!("not JSON")
        };
        assert_eq!(raw.get(), r#"{"b":0.10000000000000001,"a b\" c":[1,2]}"#);
        assert!(matches!(of(b""), Content::Empty));
        assert!(matches!(of(b"plain words\n"), Content::Text(_)));
        assert!(matches!(of(b"{broken"), Content::Text(_)));
        assert!(matches!(of(b"12"), Content::Text(_)));
        assert!(matches!(of(b"\x0a\x03abc\x10\x01"), Content::Binary(_)));
        assert!(matches!(of(b"\xff\xfe"), Content::Binary(_)));
        for bytes in [&b"plain words\n"[..], b"12", b"\x0a\x03abc\x10\x01", b""] {
            assert_eq!(of(bytes).bytes(), bytes);
        }
    }

    #[test]
    fn a_difference_is_named_by_its_place() {
        let base = of(br#"{"a":[1,{"b":2}],"seed":1}"#);
        let ignored = ["seed".to_owned()];
        for (other, at) in [
            (r#"{"seed":9,"a":[1,{"b":2}]}"#, None),
            (r#"{"a":[1,{"b":3}]}"#, Some("/a/1/b")),
            (r#"{"a":[1]}"#, Some("/a")),
            (r#"{"a":[1,{"b":2}],"c":1}"#, Some("/c")),
        ] {
            let found = base.difference(&of(other.as_bytes()), &ignored);
            assert_eq!(found.as_deref(), at, "{other}");
        }
        assert_eq!(of(b"a").difference(&of(b"b"), &[]).as_deref(), Some(""));
    }
}
