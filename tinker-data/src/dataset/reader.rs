//! Reader of data files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{DatasetError, ErrorKind, LineError};
use super::line;
use super::row::Row;

/// The examples of a data file.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Path of the file, for error messages.
    pub path: PathBuf,
    /// The examples, in the order of the file.
    pub rows: Vec<Row>,
}

impl Dataset {
    /// Parses the content of the file at `path`. Blank lines are skipped, and so is a byte order mark.
    ///
    /// # Errors
    /// Lines that are not examples, all of them at once, or a file without examples.
    pub fn parse(path: impl Into<PathBuf>, content: &[u8]) -> Result<Self, DatasetError> {
        let path = path.into();
        let shared: Arc<Path> = path.as_path().into();
        let mut errors = Vec::new();
        let mut rows = Vec::new();
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        for (index, bytes) in content.split(|&byte| byte == b'\n').enumerate() {
            let line = index + 1;
            let parsed = match std::str::from_utf8(bytes) {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => line::parse(text),
                Err(_) => Err(LineError::new(
                    ErrorKind::Encoding,
                    "is not UTF-8 text",
                    "save the file as UTF-8",
                )),
            };
            match parsed {
                Ok(example) => rows.push(Row {
                    path: Arc::clone(&shared),
                    line,
                    example,
                }),
                Err(error) => errors.push(error.at_line(&shared, line)),
            }
        }
        if rows.is_empty() && errors.is_empty() {
            errors.push(LineError::new(
                ErrorKind::Missing,
                "holds no examples",
                line::FORMS,
            ));
        }
        DatasetError::unless_empty(&path, errors)?;
        Ok(Self { path, rows })
    }
}
