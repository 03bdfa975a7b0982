//! What goes wrong with checkpoints and their folder.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tinker_types::CheckpointPath;

/// Why a checkpoint could not be written, read or found, or a data folder not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another engine uses the folder. Stop it, or choose another folder.
    #[error("data folder {} is in use by {owner}; stop it or choose another folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Who uses it, as far as known: `process 1234`.
        owner: String,
    },
    /// The operating system refused. Nothing was left behind by the attempt.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What was tried, for example `write`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such checkpoint.
    #[error("there is no checkpoint {path}{near}")]
    NotFound {
        /// The path asked for.
        path: CheckpointPath,
        /// What there is instead, as the rest of the sentence.
        near: String,
    },
    /// The name is taken and overwriting was not asked for.
    #[error("checkpoint {path} exists; choose another name or set overwrite")]
    Taken {
        /// The path.
        path: CheckpointPath,
    },
    /// The files of a checkpoint are not what was written.
    #[error("checkpoint {path} is damaged: {why}; load another one")]
    Damaged {
        /// The path.
        path: CheckpointPath,
        /// What is wrong.
        why: String,
    },
    /// The checkpoint does not fit the request.
    #[error("checkpoint {path} {why}")]
    Unfit {
        /// The path.
        path: CheckpointPath,
        /// Why, and what to do.
        why: String,
    },
    /// The checkpoint is already what it was asked to become.
    #[error("checkpoint {path} is already {state}")]
    AlreadySo {
        /// The path.
        path: CheckpointPath,
        /// What it is: `public` or `private`.
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

    /// The request is at fault, or what it names: trying again does not help.
    pub(crate) fn is_users_fault(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::Damaged { .. }
                | Self::Taken { .. }
                | Self::Unfit { .. }
                | Self::AlreadySo { .. }
        )
    }

    /// The message with its causes, for answers that carry one text.
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
