//! Removal of secrets from recordings.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request};
use serde_json::Value;
use tinker_types::wire::header;

use super::content::Content;
use super::exchange::{Headers, Sent, headers_of, path_of};
use crate::body::Body;

/// Replacement of secrets.
pub(super) const REMOVED: &str = "[removed]";

/// Parts of header names and query parameters that indicate a secret.
const SECRET_WORDS: [&str; 10] = [
    "api-key",
    "api_key",
    "auth",
    "cookie",
    "credential",
    "password",
    "secret",
    "signature",
    "sig",
    "token",
];

/// JSON fields that contain a secret, by complete name: `max_tokens` is not one.
const SECRET_FIELDS: [&str; 14] = [
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "client_secret",
    "credential",
    "id_token",
    "jwt",
    "password",
    "refresh_token",
    "secret",
    "token",
    "weights_access_token",
    header::API_KEY,
];

/// Removes secrets from recordings.
///
/// Always removed: headers that are marked as sensitive (the credential and all configured headers) or named like a
/// secret (`...token...`, `cookie`, `authorization`); JSON fields such as `jwt` and `api_key`; query parameters named
/// like a secret, including signatures of download links; and in any text whatever looks like a key (`tml-...`) or a
/// JWT.
///
/// Add further headers and texts to remove. A text added by [`with_secret`](Self::with_secret) is found everywhere,
/// also within protobuf.
#[derive(Clone, Default)]
pub struct Scrub {
    headers: BTreeSet<String>,
    secrets: Vec<String>,
}

impl Scrub {
    /// Removes the default set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also removes the values of this header.
    #[must_use]
    pub fn with_header(mut self, name: &HeaderName) -> Self {
        self.headers.insert(name.as_str().to_owned());
        self
    }

    /// Also removes this text wherever it occurs.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        let secret = secret.into();
        if !secret.is_empty() {
            self.secrets.push(secret);
        }
        self
    }

    /// The recorded form of a request.
    pub(super) fn sent(&self, request: &Request<Body>) -> Sent {
        let body = request.body().pieces().map(<[_]>::concat);
        Sent {
            method: request.method().to_string(),
            path: self.text(&path_of(request.uri())).into_owned(),
            headers: self.headers(request.headers()),
            body: self.content(body.map_or(Content::Empty, |body| Content::of(&body.into()))),
        }
    }

    pub(super) fn headers(&self, map: &HeaderMap) -> Headers {
        let mut headers = headers_of(map);
        for (name, values) in &mut headers {
            let is_marked = map
                .get_all(name)
                .iter()
                .any(http::HeaderValue::is_sensitive);
            if is_marked || self.headers.contains(name) || means_secret(name) {
                values.fill(REMOVED.to_owned());
            } else {
                for value in values {
                    *value = self.text(value).into_owned();
                }
            }
        }
        headers
    }

    pub(super) fn content(&self, content: Content) -> Content {
        match content {
            Content::Empty => Content::Empty,
            Content::Text(text) => Content::Text(self.text(&text).into_owned()),
            Content::Binary(bytes) => Content::Binary(self.bytes(bytes)),
            Content::Json(raw) => {
                let mut value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
                if !self.json(&mut value) {
                    return Content::Json(raw);
                }
                Content::of(&Bytes::from(value.to_string()))
            }
        }
    }

    /// Returns whether anything was removed.
    fn json(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let clean = self.text(text);
                let is_changed = clean != *text;
                if is_changed {
                    *text = clean.into_owned();
                }
                is_changed
            }
            Value::Array(values) => values
                .iter_mut()
                .fold(false, |any, value| self.json(value) | any),
            Value::Object(fields) => {
                let mut is_changed = false;
                for (name, value) in fields.iter_mut() {
                    let is_secret = SECRET_FIELDS.contains(&name.to_lowercase().as_str());
                    if is_secret && value.is_string() {
                        *value = REMOVED.into();
                        is_changed = true;
                    } else {
                        is_changed |= self.json(value);
                    }
                }
                is_changed
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Text without secrets, including parameters of URLs.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.secrets {
            if text.contains(secret) {
                text = text.replace(secret, REMOVED).into();
            }
        }
        if let Some((head, query)) = text.split_once('?')
            && let Some(clean) = clean_query(query)
        {
            text = format!("{head}?{clean}").into();
        }
        for (mark, dots) in [("tml-", 0), ("eyJ", 2)] {
            if let Some(clean) = without_keys(&text, mark, dots) {
                text = clean.into();
            }
        }
        text
    }

    /// Bytes without the added secrets, with the same length.
    fn bytes(&self, bytes: Bytes) -> Bytes {
        let mut clean = bytes.to_vec();
        for secret in self.secrets.iter().map(String::as_bytes) {
            while let Some(at) = clean.windows(secret.len()).position(|part| part == secret) {
                clean[at..at + secret.len()].fill(b'*');
            }
        }
        if clean == bytes { bytes } else { clean.into() }
    }
}

fn means_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// A query without the values of secret parameters; `None` if it has none.
fn clean_query(query: &str) -> Option<String> {
    let is_secret = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(name, _)| means_secret(name))
    };
    query.split('&').any(is_secret).then(|| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if means_secret(name) => format!("{name}={REMOVED}"),
            _ => pair.to_owned(),
        });
        pairs.collect::<Vec<_>>().join("&")
    })
}

/// Text without words that begin with `mark` and contain this many dots; `None` if it has none.
fn without_keys(text: &str, mark: &str, dots: usize) -> Option<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let (mut clean, mut rest) = (String::new(), text);
    let mut is_changed = false;
    while let Some(at) = rest.find(mark) {
        let (before, word) = rest.split_at(at);
        let end = word.find(|c| !is_part(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let is_start = !before.ends_with(is_part);
        let is_key = is_start && word.len() > mark.len() && word.matches('.').count() >= dots;
        clean.push_str(before);
        clean.push_str(if is_key { REMOVED } else { word });
        is_changed |= is_key;
        rest = after;
    }
    clean.push_str(rest);
    is_changed.then_some(clean)
}

impl std::fmt::Debug for Scrub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrub")
            .field("headers", &self.headers)
            .field("secrets", &self.secrets.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_goes_and_what_does_not_stays() {
        let scrub = Scrub::new().with_secret("hunter2");
        for (text, clean) in [
            ("say tml-abc_1.x now", "say [removed] now"),
            ("html-escape tml- max_tokens", "html-escape tml- max_tokens"),
            ("eyJhbGci.eyJpYXQi.sig_-1,", "[removed],"),
            ("eyJust a word", "eyJust a word"),
            ("pass hunter2!", "pass [removed]!"),
            (
                "https://h/a?X-Amz-Signature=1&n=2",
                "https://h/a?X-Amz-Signature=[removed]&n=2",
            ),
            ("/runs?limit=5&max=3", "/runs?limit=5&max=3"),
        ] {
            assert_eq!(scrub.text(text), clean);
        }
    }

    #[test]
    fn fields_go_by_name_at_any_depth_and_numbers_stay_exact() {
        let scrub = Scrub::new().with_secret("hunter2");
        let clean = |text: &'static str| {
            let content = scrub.content(Content::of(&Bytes::from_static(text.as_bytes())));
            String::from_utf8(content.bytes().to_vec()).unwrap()
        };
        assert_eq!(
            clean(r#"{"a":[{"jwt":"x.y","max_tokens":5}]}"#),
            r#"{"a":[{"jwt":"[removed]","max_tokens":5}]}"#
        );
        assert_eq!(
            clean(r#"{"tokens":[1,2],"z":0.10000000000000001,"a":1}"#),
            r#"{"tokens":[1,2],"z":0.10000000000000001,"a":1}"#
        );
        assert_eq!(clean("\u{1}a hunter2 b"), "\u{1}a ******* b");
        assert!(!format!("{scrub:?}").contains("hunter2"));
    }
}
