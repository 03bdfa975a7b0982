//! Contents of a commit, and its result.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

/// Files to commit to a repository.
///
/// ```
/// use tinker_client::hub::Push;
///
/// let push = Push::new("Upload adapter")
///     .with_bytes("README.md", "# My adapter")
///     .with_file("adapter_model.safetensors", "my-adapter/adapter_model.safetensors")
///     .with_private(true);
/// assert_eq!(push.files.len(), 2);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Push {
    /// Contents by path in the repository. Other files of the repository stay as they are.
    pub files: BTreeMap<String, PushContent>,
    /// First line of the commit message.
    pub message: String,
    /// Branch. It is made if it is missing. Default: `main`.
    pub revision: String,
    /// Whether a repository that is made is private. Default: as the settings of the account say. A repository that
    /// exists is not changed.
    pub private: bool,
    progress: Option<Arc<Progress>>,
}

type Progress = dyn Fn(&PushProgress<'_>) + Send + Sync;

/// Content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushContent {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file. It is read in pieces, and must not change meanwhile.
    Path(PathBuf),
}

/// Progress of the transfer of large files. Small ones are part of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushProgress<'a> {
    /// Path of the file in the repository.
    pub file: &'a str,
    /// Bytes of the file that were handed to the connection. It begins again when a transfer is repeated.
    pub sent: u64,
    /// Size of the file in bytes.
    pub total: u64,
}

/// A finished push.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pushed {
    /// Page of the repository.
    pub url: String,
    /// Id of the commit; `None` if the repository had all files already, so that there was nothing to commit.
    pub commit: Option<String>,
    /// Whether the repository was made.
    pub is_new: bool,
    /// The files, by path.
    pub files: Vec<PushedFile>,
}

/// A file of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushedFile {
    /// Path in the repository.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// Whether it was transferred now. The Hub had the content of the others.
    pub is_new: bool,
}

impl Push {
    /// A commit with this message and without files.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            files: BTreeMap::new(),
            message: message.into(),
            revision: "main".to_owned(),
            private: false,
            progress: None,
        }
    }

    /// Adds a file with this content.
    pub fn with_bytes(self, name: impl Into<String>, content: impl Into<Bytes>) -> Self {
        self.with(name.into(), PushContent::Bytes(content.into()))
    }

    /// Adds a file of the disk.
    pub fn with_file(self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.with(name.into(), PushContent::Path(path.into()))
    }

    fn with(mut self, name: String, content: PushContent) -> Self {
        self.files.insert(name, content);
        self
    }

    tinker_types::setters! {
        /// Sets the branch.
        with_revision(revision: impl Into<String>) => revision = revision.into();

        /// Sets whether a repository that is made is private.
        with_private(private: bool) => private = private;

        /// Sets a function that is called as bytes are sent. It runs in the sending task and must return quickly.
        with_progress(report: impl Fn(&PushProgress<'_>) + Send + Sync + 'static) => progress = Some(Arc::new(report));
    }

    pub(super) fn reports(&self) -> Option<Arc<Progress>> {
        self.progress.clone()
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push")
            .field("files", &self.files.keys())
            .field("message", &self.message)
            .field("revision", &self.revision)
            .field("private", &self.private)
            .finish_non_exhaustive()
    }
}
