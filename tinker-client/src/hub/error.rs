//! Errors of the Hub.

use std::error::Error as StdError;

use thiserror::Error;

/// A model or tokenizer that could not be fetched, or files that could not be pushed. The message names the place and the fix, and holds no token.
#[derive(Debug, Error)]
#[error("{what}")]
pub struct HubError {
    kind: HubErrorKind,
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The cause of a [`HubError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubErrorKind {
    /// A name, revision or setting is not valid. Nothing was sent.
    Invalid,
    /// Requests are switched off (`HF_HUB_OFFLINE`).
    Offline,
    /// The repository, revision or file does not exist, or is private.
    NotFound,
    /// The licence has to be accepted first.
    Gated,
    /// The token is missing, was refused, or does not suffice.
    Token,
    /// The Hub cannot be reached, or the transfer was interrupted repeatedly. Transferred data is kept.
    Unreachable,
    /// The answer is an error, or is not that of a Hub.
    Answer,
    /// The content differs from what the Hub announced, and was discarded; or a file was changed while it was pushed.
    Damaged,
    /// The cache or a file cannot be read or written.
    Disk,
}

impl HubError {
    pub(super) fn new(kind: HubErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            source: None,
        }
    }

    /// A setting that cannot be used.
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::new(HubErrorKind::Invalid, what)
    }

    /// A failure of the disk.
    pub(crate) fn disk(path: &std::path::Path, what: &str, error: std::io::Error) -> Self {
        Self::new(HubErrorKind::Disk, format!("{}: {what}", path.display())).because(error)
    }

    pub(super) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The cause.
    pub fn kind(&self) -> HubErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, HubErrorKind::Unreachable | HubErrorKind::Damaged)
    }
}
