//! The data folder and its lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tinker_types::CheckpointPath;

use super::{StoreError, disk};

/// A data folder, locked for this process as long as the value lives.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Unlocked on drop, before a temporary folder is removed.
    _lock: File,
    _temporary: Option<TempDir>,
}

const CHECKPOINTS: &str = "checkpoints";

/// The folder of a checkpoint in the data folder `root`.
pub(super) fn place(root: &Path, path: &CheckpointPath) -> PathBuf {
    let run = path.run().as_str().replace(':', "_");
    checkpoints(root)
        .join(run)
        .join(path.kind().as_str())
        .join(path.name())
}

/// The folder of all checkpoints in the data folder `root`.
pub(super) fn checkpoints(root: &Path) -> PathBuf {
    root.join(CHECKPOINTS)
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        Self::lock(root, None)
    }

    /// A temporary folder, removed on drop.
    pub(super) fn temporary() -> Result<Self, StoreError> {
        let parent = std::env::temp_dir();
        let folder = tempfile::Builder::new()
            .prefix("tinker-")
            .tempdir()
            .map_err(StoreError::io("make a folder in", &parent))?;
        let root = folder.path().to_owned();
        Self::lock(&root, Some(folder))
    }

    fn lock(root: &Path, temporary: Option<TempDir>) -> Result<Self, StoreError> {
        disk::make_folder(root).map_err(StoreError::io("make folder", root))?;
        // Absolute: messages name the folder, and the working directory may change.
        let root = fs::canonicalize(root).map_err(StoreError::io("find folder", root))?;
        let path = root.join("lock");
        let mut options = OpenOptions::new();
        let lock = disk::owned_file(options.write(true).create(true).truncate(false)).open(&path);
        let lock = lock.map_err(StoreError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(root.join("owner")).unwrap_or_default();
                let owner = match owner.trim() {
                    "" => "another process".to_owned(),
                    id => format!("process {id}"),
                };
                return Err(StoreError::InUse {
                    folder: root,
                    owner,
                });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &path)(error)),
        }
        let folder = Self {
            root,
            _lock: lock,
            _temporary: temporary,
        };
        folder.write_owner()?;
        for part in [folder.checkpoints(), folder.tmp()] {
            disk::make_folder(&part).map_err(StoreError::io("make folder", &part))?;
        }
        Ok(folder)
    }

    fn write_owner(&self) -> Result<(), StoreError> {
        let path = self.root.join("owner");
        let _absent = fs::remove_file(&path);
        disk::write_file(&path, std::process::id().to_string().as_bytes())
            .map_err(StoreError::io("write", &path))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// An empty folder for weights of samplers.
    pub(super) fn samplers(&self) -> Result<PathBuf, StoreError> {
        let folder = self.root.join("samplers");
        disk::remove_all(&folder).map_err(StoreError::io("remove", &folder))?;
        disk::make_folder(&folder).map_err(StoreError::io("make folder", &folder))?;
        Ok(folder)
    }

    pub(super) fn checkpoints(&self) -> PathBuf {
        checkpoints(&self.root)
    }

    /// Replaces a file in a folder of checkpoints. Atomic: a kill leaves the old file or the new one.
    pub(super) fn replace(&self, place: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (new, file) = (self.tmp().join(name), place.join(name));
        disk::remove_all(&new).map_err(StoreError::io("remove", &new))?;
        disk::write_file(&new, bytes).map_err(StoreError::io("write", &new))?;
        fs::rename(&new, &file).map_err(StoreError::io("rename to", &file))?;
        disk::flush_folder(place).map_err(StoreError::io("flush folder", place))
    }

    /// The folder of a checkpoint. Run ids contain colons, which some systems do not allow in names.
    pub(super) fn place(&self, path: &CheckpointPath) -> PathBuf {
        place(&self.root, path)
    }
}
