//! Errors of model folders.

use std::error::Error as StdError;
use std::path::Path;

use thiserror::Error;

use crate::backend::BackendError;

/// A folder that this engine can't use as a model. The message names the file, the tensor or field, and the fix.
#[derive(Debug, Error)]
#[error("{place}: {what}")]
pub struct FolderError {
    place: String,
    what: String,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl FolderError {
    pub(crate) fn new(place: &Path, what: impl Into<String>) -> Self {
        Self {
            place: place.display().to_string(),
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The message with its causes.
    pub(crate) fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(source) = cause {
            text = format!("{text}: {source}");
            cause = source.source();
        }
        text
    }
}

impl From<FolderError> for BackendError {
    fn from(error: FolderError) -> Self {
        Self::user(error.report())
    }
}
