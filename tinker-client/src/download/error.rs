//! A download that failed.

use std::error::Error as StdError;

use thiserror::Error;

/// A download that failed: what was received stays in the `.part` folder, unless it was wrong.
#[derive(Debug, Error)]
#[error("download of {file:?}: {what}")]
pub struct DownloadFailed {
    file: Box<str>,
    what: Box<str>,
    is_passing: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl DownloadFailed {
    pub(super) fn new(file: &str, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            what: what.into().into(),
            is_passing: false,
            source: None,
        }
    }

    /// The same call may go well later.
    pub(super) fn passing(mut self) -> Self {
        self.is_passing = true;
        self
    }

    pub(super) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The file or folder.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Could the same call succeed later?
    pub fn is_retryable(&self) -> bool {
        self.is_passing
    }
}
