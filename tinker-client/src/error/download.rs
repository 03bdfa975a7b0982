//! Failed downloads.

use std::error::Error as StdError;

use thiserror::Error;

/// A failed download. Received data stays in the `.part` folder, unless it was wrong.
#[derive(Debug, Error)]
#[error("download of {file:?}: {what}")]
pub struct DownloadFailed {
    file: Box<str>,
    what: Box<str>,
    is_temporary: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl DownloadFailed {
    pub(crate) fn new(file: &str, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            what: what.into().into(),
            is_temporary: false,
            source: None,
        }
    }

    /// Marks the failure as temporary.
    pub(crate) fn temporary(mut self) -> Self {
        self.is_temporary = true;
        self
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Name of the file or folder.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.is_temporary
    }
}
