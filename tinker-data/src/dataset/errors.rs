//! Errors of one file while it is read.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{DatasetError, ErrorKind, LineError};
use super::format::forms;

/// Errors that are kept with their text; others are counted.
const KEPT: usize = 100_000;

/// Errors of one file.
#[derive(Debug, Default)]
pub(super) struct Errors {
    skip_bad: bool,
    lines: Vec<LineError>,
    unlisted: BTreeMap<ErrorKind, usize>,
    has_encoding: bool,
    rows: usize,
    skipped: usize,
    /// The first errors that were left out.
    skipped_lines: Vec<LineError>,
}

impl Errors {
    /// No errors. Errors of lines are left out and counted if `skip_bad` is set.
    pub(super) fn new(skip_bad: bool) -> Self {
        Self {
            skip_bad,
            ..Self::default()
        }
    }

    /// The row, if it has no error.
    pub(super) fn keep<T>(&mut self, row: Result<T, LineError>) -> Option<T> {
        match row {
            Ok(row) => {
                self.rows += 1;
                return Some(row);
            }
            // A truncated response looks like a complete file.
            Err(error) if self.skip_bad && error.line().is_some() => self.skip(error),
            Err(error) => self.add(error),
        }
        None
    }

    /// Whether there are rows, and no errors but those that were left out.
    pub(super) fn has_only_rows(&self) -> bool {
        self.rows > 0 && self.lines.is_empty()
    }

    fn skip(&mut self, error: LineError) {
        self.skipped += 1;
        if self.skipped_lines.len() < KEPT {
            self.skipped_lines.push(error);
        }
    }

    /// The errors that were left out, at most the first 100,000.
    pub(super) fn take_skipped(&mut self) -> Vec<LineError> {
        std::mem::take(&mut self.skipped_lines)
    }

    fn add(&mut self, error: LineError) {
        // A wrong encoding is one fault of the file, although many lines show it.
        let is_encoding = error.kind() == ErrorKind::Encoding;
        let is_repeat = is_encoding && self.has_encoding;
        self.has_encoding |= is_encoding;
        if is_repeat || self.lines.len() >= KEPT {
            *self.unlisted.entry(error.kind()).or_default() += 1;
        } else {
            self.lines.push(error);
        }
    }

    /// The number of lines that were left out, or the errors of the file at `path`.
    pub(super) fn finish(mut self, path: &Path) -> Result<usize, DatasetError> {
        if self.rows == 0 && self.lines.is_empty() {
            self.lines.push(empty(self.skipped));
        }
        DatasetError::with_unlisted(path, self.lines, self.unlisted)?;
        Ok(self.skipped)
    }
}

/// The error of a file without examples, of which lines with errors were left out.
fn empty(skipped: usize) -> LineError {
    let reason = match skipped {
        0 => "holds no examples".to_owned(),
        skipped => format!("holds no examples, only {skipped} lines with errors"),
    };
    LineError::new(ErrorKind::Missing, reason, forms())
}

impl DatasetError {
    /// The error of a file that was read to its end and holds no examples.
    pub fn empty(path: &Path) -> Self {
        Self::of(path, empty(0))
    }
}
