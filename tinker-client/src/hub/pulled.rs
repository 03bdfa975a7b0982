//! Fetched repositories.

use std::path::PathBuf;

/// A fetched repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pulled {
    /// The folder of the files, in the cache.
    pub folder: PathBuf,
    /// The commit.
    pub commit: String,
    /// The files, by name.
    pub files: Vec<PulledFile>,
}

/// A file of a fetched repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PulledFile {
    /// Path in the repository.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// Whether it was fetched now. The cache had the others.
    pub is_new: bool,
}
