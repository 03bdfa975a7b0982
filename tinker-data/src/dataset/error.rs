//! Errors of data files.

use std::fmt;
use std::path::{Path, PathBuf};

/// Errors that the message lists; the others are counted.
const LISTED: usize = 10;

/// An error of one line, or of the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    line: Option<usize>,
    reason: String,
    fix: String,
}

impl LineError {
    /// An error of the whole file; see [`Self::at`].
    pub(super) fn new(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            line: None,
            reason: reason.into(),
            fix: fix.into(),
        }
    }

    /// The same error on a line, counted from 1.
    pub(super) fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// Line number, from 1; `None` for the whole file.
    pub fn line(&self) -> Option<usize> {
        self.line
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

/// A data file that cannot be used. Its message lists the first ten errors, each as `path:line: reason` with a fix.
#[derive(Debug)]
pub struct DatasetError {
    path: PathBuf,
    lines: Vec<LineError>,
}

impl DatasetError {
    pub(super) fn unless_empty(path: &Path, lines: Vec<LineError>) -> Result<(), Self> {
        if lines.is_empty() {
            return Ok(());
        }
        let path = path.to_owned();
        Err(Self { path, lines })
    }

    /// All errors of the file, at least one.
    pub fn lines(&self) -> &[LineError] {
        &self.lines
    }
}

impl std::error::Error for DatasetError {}

impl fmt::Display for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if let [
            LineError {
                line: None,
                reason,
                fix,
            },
        ] = &self.lines[..]
        {
            return write!(f, "{path} {reason}\n  fix: {fix}");
        }
        let count = self.lines.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{path} has {count} error{plural}")?;
        let mut last_fix = "";
        for LineError { line, reason, fix } in self.lines.iter().take(LISTED) {
            match line {
                Some(line) => write!(f, "\n  {path}:{line}: {reason}")?,
                None => write!(f, "\n  {path}: {reason}")?,
            }
            // A file made by a faulty program has the same error on each line.
            if fix != last_fix {
                write!(f, "\n    fix: {fix}")?;
                last_fix = fix;
            }
        }
        if count > LISTED {
            write!(f, "\n  and {} more", count - LISTED)?;
        }
        Ok(())
    }
}
