//! The target folder, and the folder of parts beside it.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tinker_types::{CheckpointPath, InvalidValue};
use tokio::fs::{self, File, OpenOptions};
use tokio::sync::Mutex;

use super::name::check_name;
use super::record::{Record, Version};
use super::unpack::unpack;
use crate::error::{DownloadFailed, Error};

/// Name of the record in the folder of parts.
const RECORD: &str = ".tinker-download.json";
/// Name of the subfolder that an archive is unpacked into.
const UNPACKED: &str = ".tinker-unpacked";

/// A target folder.
#[derive(Debug)]
pub(super) struct Folder {
    target: PathBuf,
    parts: PathBuf,
}

/// A folder of parts in use.
#[derive(Debug)]
pub(super) struct Parts {
    folder: Folder,
    record: Mutex<Record>,
}

impl Folder {
    /// Refuses a target that exists and is not empty.
    pub(super) fn new(target: &Path) -> Result<Self, Error> {
        let refuse = |why: &str| InvalidValue::new("folder", format!("{} {why}", target.display()));
        let name = target
            .file_name()
            .ok_or_else(|| refuse("has no name; give the path of a new folder"))?;
        match std::fs::read_dir(target).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => return Err(refuse("exists already; choose another name, or delete it").into()),
        }
        let mut parts = OsString::from(name);
        parts.push(".part");
        Ok(Self {
            parts: target.with_file_name(parts),
            target: target.to_owned(),
        })
    }

    /// Creates the folder of parts, or continues with one of the same checkpoint.
    pub(super) async fn begin(
        self,
        checkpoint: &CheckpointPath,
        names: &[String],
    ) -> Result<Parts, Error> {
        for name in names {
            check_name(name)?;
        }
        let path = self.parts.display().to_string();
        let failed = |what: &str, error| DownloadFailed::new(&path, what).because(error);
        fs::create_dir_all(&self.parts)
            .await
            .map_err(|error| failed("the folder cannot be created", error))?;
        refuse_link(&self.parts)
            .await
            .map_err(|error| failed("is not a plain folder", error))?;
        let record = match fs::read(self.parts.join(RECORD)).await {
            Ok(bytes) => serde_json::from_slice::<Record>(&bytes)
                .ok()
                .filter(|record| record.checkpoint == *checkpoint)
                .ok_or_else(|| {
                    let what = "has parts of another download; delete it";
                    DownloadFailed::new(&path, what)
                })?,
            Err(error) if error.kind() == ErrorKind::NotFound => Record {
                checkpoint: checkpoint.clone(),
                files: std::collections::BTreeMap::new(),
            },
            Err(error) => return Err(failed("the download record cannot be read", error).into()),
        };
        Ok(Parts {
            folder: self,
            record: Mutex::new(record),
        })
    }
}

impl Parts {
    /// Opens a part for appending. Subfolders are created; symbolic links are refused.
    pub(super) async fn open(&self, name: &str) -> io::Result<(File, u64)> {
        let mut path = self.folder.parts.clone();
        let mut components = Path::new(name).components().peekable();
        while let Some(component) = components.next() {
            path.push(component);
            if components.peek().is_some() {
                match fs::create_dir(&path).await {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                    _ => refuse_link(&path).await?,
                }
            }
        }
        refuse_link(&path).await?;
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        let file = options.open(&path).await?;
        let length = file.metadata().await?.len();
        Ok((file, length))
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.folder.parts.join(name)
    }

    /// The known version of a file.
    pub(super) async fn version(&self, name: &str) -> Version {
        let record = self.record.lock().await;
        record.files.get(name).cloned().unwrap_or_default()
    }

    /// Records the version of a file.
    pub(super) async fn record(&self, name: &str, version: Version) -> io::Result<()> {
        let mut record = self.record.lock().await;
        if record.files.get(name) == Some(&version) {
            return Ok(());
        }
        record.files.insert(name.to_owned(), version);
        let json = serde_json::to_vec(&*record).map_err(io::Error::other)?;
        // Replaced atomically: with a truncated record the parts would be lost.
        let path = self.folder.parts.join(RECORD);
        let fresh = path.with_extension("new");
        fs::write(&fresh, json).await?;
        fs::rename(&fresh, &path).await
    }

    /// Renames the folder of parts to the target.
    pub(super) async fn finish(self) -> Result<PathBuf, Error> {
        let parts = self.folder.parts.clone();
        let finish = async {
            remove(fs::remove_file(parts.join(RECORD)).await)?;
            self.folder.name(&parts).await
        };
        let result = finish.await;
        self.folder.end(result)
    }

    /// Unpacks an archive among the parts and renames the unpacked folder to the target. A damaged archive is deleted.
    /// Returns the folder, the names of the files and their total size.
    pub(super) async fn finish_archive(
        self,
        archive: &str,
    ) -> Result<(PathBuf, Vec<String>, u64), Error> {
        let parts = self.folder.parts.clone();
        let (packed, unpacked) = (parts.join(archive), parts.join(UNPACKED));
        let into = unpacked.clone();
        let cleared = remove(fs::remove_dir_all(&unpacked).await);
        let clear = |error| DownloadFailed::new(archive, "cannot be unpacked").because(error);
        cleared.map_err(clear)?;
        let taken = crate::wire::blocking::run(move || Ok(unpack(&packed, &into)?)).await;
        let (files, bytes) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                // A damaged archive would fail again.
                if !error.is_retryable() {
                    let _left = fs::remove_dir_all(&parts).await;
                }
                return Err(error);
            }
        };
        let result = self.folder.name(&unpacked).await;
        let folder = self.folder.end(result)?;
        let _left = fs::remove_dir_all(&parts).await;
        Ok((folder, files, bytes))
    }
}

impl Folder {
    /// Renames a folder of files to the target.
    async fn name(&self, files: &Path) -> io::Result<()> {
        remove(fs::remove_dir(&self.target).await)?;
        fs::rename(files, &self.target).await
    }

    fn end(self, named: io::Result<()>) -> Result<PathBuf, Error> {
        let Err(error) = named else {
            return Ok(self.target);
        };
        let what = format!(
            "the files are complete, but could not be moved from {}",
            self.parts.display()
        );
        let name = self.target.display().to_string();
        Err(DownloadFailed::new(&name, what).because(error).into())
    }
}

/// Ignores that a file to remove does not exist.
fn remove(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Refuses a symbolic link, which could redirect a write to another place.
async fn refuse_link(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path).await {
        Ok(metadata) if metadata.is_symlink() => {
            let what = format!(
                "{} is a symbolic link, which is not followed",
                path.display()
            );
            Err(io::Error::new(ErrorKind::InvalidInput, what))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
