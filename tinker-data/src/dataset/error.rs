//! Errors of data files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::row::Row;

/// Errors that the message lists; the others are counted by kind.
const LISTED: usize = 20;

/// Kind of an error in a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file cannot be opened or read, or has another format.
    File,
    /// Text that is not UTF-8.
    Encoding,
    /// Invalid JSON, CSV or Parquet.
    Syntax,
    /// The same key twice in one object.
    RepeatedKey,
    /// A missing key, or an empty value.
    Missing,
    /// A value of a wrong type or with a wrong content.
    Value,
    /// A key or value with a meaning that this library does not support.
    Unsupported,
    /// A row of a format that the use does not take.
    Format,
    /// An example that the tokenizer or the template refuses.
    Encode,
    /// An example above a limit on its length.
    Length,
}

impl ErrorKind {
    /// Name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "unreadable file",
            Self::Encoding => "not UTF-8",
            Self::Syntax => "invalid syntax",
            Self::RepeatedKey => "repeated key",
            Self::Missing => "missing or empty value",
            Self::Value => "wrong value",
            Self::Unsupported => "unsupported content",
            Self::Format => "other format",
            Self::Encode => "cannot be encoded",
            Self::Length => "too long",
        }
    }
}

/// An error of one line, or of a whole file.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct LineError {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    line: Option<usize>,
    column: Option<usize>,
    kind: ErrorKind,
    reason: String,
    fix: String,
}

impl LineError {
    /// An error of the whole file; see [`Self::at`].
    pub(super) fn new(kind: ErrorKind, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            path: None,
            line: None,
            column: None,
            kind,
            reason: reason.into(),
            fix: fix.into(),
        }
    }

    /// The same error on the line of `row`.
    pub(super) fn at(self, row: &Row) -> Self {
        self.at_line(&row.path, row.line)
    }

    /// The same error on a line, counted from 1.
    pub(super) fn at_line(mut self, path: &Path, line: usize) -> Self {
        self.path = Some(path.to_owned());
        self.line = Some(line);
        self
    }

    /// The same error of a whole file.
    pub(super) fn at_file(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// The same error in a column, counted from 1 in characters.
    pub(super) fn at_column(mut self, column: Option<usize>) -> Self {
        self.column = column;
        self
    }

    /// The file; `None` if it is that of the [`DatasetError`].
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Line number, from 1; `None` for the whole file. Rows of Parquet files are counted as lines.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// Column in characters, from 1, where it is known.
    pub fn column(&self) -> Option<usize> {
        self.column
    }

    /// Kind of error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Why the line cannot be used, as a predicate: `has no "completion"`.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// How to correct it, as an imperative.
    pub fn fix(&self) -> &str {
        &self.fix
    }
}

impl std::error::Error for LineError {}

/// `path:line:column: reason`, without the fix.
impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            column,
            reason,
            ..
        } = self;
        if let Some(path) = path {
            write!(f, "{}:", path.display())?;
        }
        for place in [line, column].into_iter().flatten() {
            write!(f, "{place}:")?;
        }
        if path.is_some() || line.is_some() {
            f.write_str(" ")?;
        }
        f.write_str(reason)
    }
}

/// As `Display`, so that a `main` that returns the error prints a sentence.
impl fmt::Debug for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A data file that cannot be used. Its message lists the first 20 errors, each as `path:line:column: reason` with a fix,
/// and counts the others by kind.
pub struct DatasetError {
    path: PathBuf,
    lines: Vec<LineError>,
    /// Errors that are not in `lines`, by kind.
    unlisted: BTreeMap<ErrorKind, usize>,
}

impl DatasetError {
    /// The error of a whole file.
    pub(super) fn of(path: &Path, error: LineError) -> Self {
        Self {
            path: path.to_owned(),
            lines: vec![error],
            unlisted: BTreeMap::new(),
        }
    }

    pub(super) fn unless_empty(path: &Path, lines: Vec<LineError>) -> Result<(), Self> {
        Self::with_unlisted(path, lines, BTreeMap::new())
    }

    pub(super) fn with_unlisted(
        path: &Path,
        lines: Vec<LineError>,
        unlisted: BTreeMap<ErrorKind, usize>,
    ) -> Result<(), Self> {
        if lines.is_empty() {
            return Ok(());
        }
        Err(Self {
            path: path.to_owned(),
            lines,
            unlisted,
        })
    }

    /// The error of a file with errors; `None` without any.
    pub fn new(path: &Path, lines: Vec<LineError>) -> Option<Self> {
        Self::unless_empty(path, lines).err()
    }

    /// The file, or the first one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The errors, at least one; at most the first 100,000.
    pub fn lines(&self) -> &[LineError] {
        &self.lines
    }

    /// Number of errors of each kind, those beyond [`Self::lines`] included.
    pub fn counts(&self) -> BTreeMap<ErrorKind, usize> {
        let mut counts = self.unlisted.clone();
        for line in &self.lines {
            *counts.entry(line.kind).or_default() += 1;
        }
        counts
    }
}

impl From<LineError> for DatasetError {
    fn from(error: LineError) -> Self {
        let path = error.path.clone().unwrap_or_default();
        Self::of(&path, error)
    }
}

impl std::error::Error for DatasetError {}

/// As `Display`, so that a `main` that returns the error prints its lines.
impl fmt::Debug for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if let [
            LineError {
                line: None,
                reason,
                fix,
                ..
            },
        ] = &self.lines[..]
            && self.unlisted.is_empty()
        {
            return write!(f, "{path} {reason}\n  fix: {fix}");
        }
        let count = self.lines.len() + self.unlisted.values().sum::<usize>();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{path} has {count} error{plural}")?;
        let mut last_fix = "";
        for error in self.lines.iter().take(LISTED) {
            match &error.path {
                Some(_) => write!(f, "\n  {error}")?,
                None => write!(f, "\n  {path}: {error}")?,
            }
            // A file made by a faulty program has the same error on each line.
            if error.fix != last_fix {
                write!(f, "\n    fix: {}", error.fix)?;
                last_fix = &error.fix;
            }
        }
        let mut others = self.unlisted.clone();
        for error in self.lines.iter().skip(LISTED) {
            *others.entry(error.kind).or_default() += 1;
        }
        let more = others.values().sum::<usize>();
        let others: Vec<String> = others
            .iter()
            .map(|(kind, count)| format!("{count} {}", kind.as_str()))
            .collect();
        if !others.is_empty() {
            write!(f, "\n  and {more} more: {}", others.join(", "))?;
        }
        Ok(())
    }
}
