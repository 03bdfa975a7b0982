//! Errors of values inside a record.

use super::error::ErrorKind;
use super::place::{self, Step};

/// An error of a value inside a record, with the path to it.
#[derive(Debug)]
pub(super) struct ValueError {
    /// Path to the object or value with the error, innermost step first.
    object: Vec<Step>,
    /// The key of the object, if the error is about one.
    key: Option<String>,
    pub(super) kind: ErrorKind,
    reason: String,
    pub(super) fix: String,
}

impl ValueError {
    /// An error of the value itself. `reason` is a predicate: `is empty`.
    pub(super) fn new(kind: ErrorKind, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            object: Vec::new(),
            key: None,
            kind,
            reason: reason.into(),
            fix: fix.into(),
        }
    }

    /// The same error, about a key of the object.
    pub(super) fn at_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The same error, seen from the value that holds this one under `key`.
    pub(super) fn under(mut self, key: &str) -> Self {
        self.object.push(Step::Key(key.to_owned()));
        self
    }

    /// The same error, seen from the list that holds this value at `index`.
    pub(super) fn within(mut self, index: usize) -> Self {
        self.object.push(Step::Index(index));
        self
    }

    /// The reason with the place in the record: `messages[0] has no "content"`.
    pub(super) fn reason(&self) -> String {
        let path: Vec<Step> = self.object.iter().rev().cloned().collect();
        if path.is_empty() {
            return self.reason.clone();
        }
        format!("{} {}", place::display(&path), self.reason)
    }

    /// Byte offset of the place in the record's text.
    pub(super) fn offset(&self, json: &str) -> usize {
        let key = self.key.iter().cloned().map(Step::Key);
        let path: Vec<Step> = self.object.iter().rev().cloned().chain(key).collect();
        place::offset(json, &path)
    }
}
