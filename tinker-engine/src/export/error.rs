//! Why an export failed.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::folder::FolderError;

/// Why nothing was exported. What was there before is untouched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The adapter's checkpoint can't be read by the store that keeps it.
    #[error("the checkpoint can't be exported")]
    Checkpoint(#[source] Box<dyn StdError + Send + Sync>),
    /// The base model can't be read.
    #[error("the base model can't be read")]
    Base(#[from] FolderError),
    /// The checkpoint and the base model do not belong together, or the merged weights are no numbers.
    #[error("the adapter can't be merged: {0}")]
    Merge(String),
    /// Where the export is to go there is something.
    #[error("{} {why}", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// What is there, and what to do.
        why: String,
    },
    /// The operating system refused.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What was tried, for example `write`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
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
