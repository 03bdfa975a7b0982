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
            Err(error) if self.skip_bad && error.line().is_some() => self.skipped += 1,
            Err(error) => self.add(error),
        }
        None
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
            let reason = match self.skipped {
                0 => "holds no examples".to_owned(),
                skipped => format!("holds no examples, only {skipped} lines with errors"),
            };
            self.lines
                .push(LineError::new(ErrorKind::Missing, reason, forms()));
        }
        DatasetError::with_unlisted(path, self.lines, self.unlisted)?;
        Ok(self.skipped)
    }
}
