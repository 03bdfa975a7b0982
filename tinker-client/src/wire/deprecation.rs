//! Notes of a server about operations that will be removed, in the log.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderName};
use tinker_types::wire::header;

const NOTE: HeaderName = HeaderName::from_static(header::DEPRECATION_NOTE);
const LEVEL: HeaderName = HeaderName::from_static(header::DEPRECATION_LEVEL);
/// Largest number of notes that are remembered. Those of polls would repeat endlessly.
const MOST: usize = 64;

/// The notes that were logged, so that each is logged once.
#[derive(Debug, Default)]
pub(crate) struct Deprecations(Mutex<BTreeSet<(&'static str, String)>>);

impl Deprecations {
    /// Logs the note of an answer, if it has one: as an error if the server says so, else as a warning.
    pub(crate) fn log(&self, operation: &'static str, headers: &HeaderMap) {
        let Some((note, is_error)) = note(headers) else {
            return;
        };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST || !seen.insert((operation, note.to_owned())) {
            return;
        }
        drop(seen);
        if is_error {
            tracing::error!(operation, note, "the server reports a deprecation");
        } else {
            tracing::warn!(operation, note, "the server reports a deprecation");
        }
    }
}

/// The note in the headers, and whether it is an error.
fn note(headers: &HeaderMap) -> Option<(&str, bool)> {
    let note = headers.get(NOTE)?.to_str().ok()?;
    let level = headers.get(LEVEL).and_then(|level| level.to_str().ok());
    Some((
        note,
        level.is_some_and(|level| level.eq_ignore_ascii_case("error")),
    ))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_note_has_a_level_and_is_remembered() {
        let mut headers = HeaderMap::new();
        assert_eq!(note(&headers), None);
        headers.insert(NOTE, HeaderValue::from_static("use copy_weights"));
        assert_eq!(note(&headers), Some(("use copy_weights", false)));
        headers.insert(LEVEL, HeaderValue::from_static("error"));
        assert_eq!(note(&headers), Some(("use copy_weights", true)));
        let seen = Deprecations::default();
        for _ in 0..3 {
            seen.log("a", &headers);
        }
        seen.log("b", &headers);
        assert_eq!(seen.0.lock().unwrap().len(), 2);
    }
}
