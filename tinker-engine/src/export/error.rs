//! Errors of exports.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::folder::FolderError;

/// A failed export. Nothing was written; what was there before is unchanged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The adapter's checkpoint can't be read by the store that keeps it.
    #[error("the checkpoint can't be exported")]
    Checkpoint(#[source] Box<dyn StdError + Send + Sync>),
    /// The base model can't be read.
    #[error("the base model can't be read")]
    Base(#[from] FolderError),
    /// The adapter does not fit the base model, or the merged weights are not finite.
    #[error("the adapter can't be merged: {0}")]
    Merge(String),
    /// The folder of the export is not free.
    #[error("{} {why}", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// Unexpected contents of the folder, and the fix.
        why: String,
    },
    /// The operating system refused.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// The operation, for example `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl ExportError {
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}
