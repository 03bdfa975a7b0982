//! Errors of checkpoints and the data folder.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tinker_types::CheckpointPath;

/// A checkpoint could not be written, read or found, or a data folder could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another engine uses the folder. Stop it, or choose another folder.
    #[error("data folder {} is in use by {owner}; stop it or choose another folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process that uses it, as far as known: `process 1234`.
        owner: String,
    },
    /// The operating system reported an error. The attempt left nothing behind.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// The attempted operation, for example `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The checkpoint does not exist.
    #[error("there is no checkpoint {path}{near}")]
    NotFound {
        /// The requested path.
        path: CheckpointPath,
        /// Similar checkpoints, as the rest of the sentence.
        near: String,
    },
    /// The checkpoint has expired and was removed.
    #[error(
        "checkpoint {path} expired at {at}; save without ttl_seconds, or with a longer one, what is needed for longer"
    )]
    Expired {
        /// The requested path.
        path: CheckpointPath,
        /// When it expired.
        at: jiff::Timestamp,
    },
    /// The name is taken, and the request did not ask to overwrite.
    #[error("checkpoint {path} exists; choose another name or set overwrite")]
    Taken {
        /// The path.
        path: CheckpointPath,
    },
    /// The files of a checkpoint are not as they were written.
    #[error("checkpoint {path} is damaged: {why}; load another one")]
    Damaged {
        /// The path.
        path: CheckpointPath,
        /// The damage.
        why: String,
    },
    /// The checkpoint does not fit the request.
    #[error("checkpoint {path} {why}")]
    Unfit {
        /// The path.
        path: CheckpointPath,
        /// Cause and fix.
        why: String,
    },
    /// The checkpoint already is in the requested state.
    #[error("checkpoint {path} is already {state}")]
    AlreadySo {
        /// The path.
        path: CheckpointPath,
        /// The state: `public` or `private`.
        state: &'static str,
    },
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    /// Whether the request or the checkpoint is at fault, so that a retry does not help.
    pub(crate) fn is_users_fault(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::Expired { .. }
                | Self::Damaged { .. }
                | Self::Taken { .. }
                | Self::Unfit { .. }
                | Self::AlreadySo { .. }
        )
    }

    /// The message with its causes, for responses, which have a single text.
    pub(crate) fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}
