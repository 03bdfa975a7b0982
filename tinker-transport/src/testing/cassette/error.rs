//! Errors of cassettes.

use crate::error::BoxError;

/// Error of reading or writing a cassette.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct CassetteError {
    what: String,
    source: Option<BoxError>,
}

impl CassetteError {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    pub(super) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}
