//! The folder, and the one beside it where parts are gathered.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tinker_types::{CheckpointPath, InvalidValue};
use tokio::fs::{self, File, OpenOptions};
use tokio::sync::Mutex;

use super::error::DownloadFailed;
use super::name::check_name;
use super::record::{Record, Version};
use super::unpack::unpack;
use crate::error::Error;

/// Name of the record among the parts.
const RECORD: &str = ".tinker-download.json";
/// Name of the folder among the parts that an archive is unpacked into.
const UNPACKED: &str = ".tinker-unpacked";

/// A folder that is wanted.
#[derive(Debug)]
pub(super) struct Folder {
    target: PathBuf,
    parts: PathBuf,
}

/// A folder whose parts are being gathered.
#[derive(Debug)]
pub(super) struct Parts {
    folder: Folder,
    record: Mutex<Record>,
}

impl Folder {
    /// Refuses what is there and holds something.
    pub(super) fn new(target: &Path) -> Result<Self, Error> {
        let refuse = |why: &str| InvalidValue::new("folder", format!("{} {why}", target.display()));
        let name = target
            .file_name()
            .ok_or_else(|| refuse("has no name; give the folder to be made"))?;
        match std::fs::read_dir(target).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => return Err(refuse("is there already; give another name, or delete it").into()),
        }
        let mut parts = OsString::from(name);
        parts.push(".part");
        Ok(Self {
            parts: target.with_file_name(parts),
            target: target.to_owned(),
        })
    }

    /// Makes the folder of parts, or goes on with one of the same checkpoint.
    pub(super) async fn begin(
        self,
        checkpoint: &CheckpointPath,
        names: &[String],
    ) -> Result<Parts, Error> {
        for name in names {
            check_name(name)?;
        }
        let place = self.parts.display().to_string();
        let failed = |what: &str, error| DownloadFailed::new(&place, what).because(error);
        fs::create_dir_all(&self.parts)
            .await
            .map_err(|error| failed("the folder cannot be made", error))?;
        refuse_link(&self.parts)
            .await
            .map_err(|error| failed("it is no folder of its own", error))?;
        let record = match fs::read(self.parts.join(RECORD)).await {
            Ok(bytes) => serde_json::from_slice::<Record>(&bytes)
                .ok()
                .filter(|record| record.checkpoint == *checkpoint)
                .ok_or_else(|| {
                    let what = "it holds parts of another download; delete it";
                    DownloadFailed::new(&place, what)
                })?,
            Err(error) if error.kind() == ErrorKind::NotFound => Record {
                checkpoint: checkpoint.clone(),
                files: std::collections::BTreeMap::new(),
            },
            Err(error) => return Err(failed("its record cannot be read", error).into()),
        };
        Ok(Parts {
            folder: self,
            record: Mutex::new(record),
        })
    }
}

impl Parts {
    /// Opens a part for writing, at its end. Folders within are made; links are not followed.
    pub(super) async fn open(&self, name: &str) -> io::Result<(File, u64)> {
        let mut place = self.folder.parts.clone();
        let mut components = Path::new(name).components().peekable();
        while let Some(component) = components.next() {
            place.push(component);
            if components.peek().is_some() {
                match fs::create_dir(&place).await {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                    _ => refuse_link(&place).await?,
                }
            }
        }
        refuse_link(&place).await?;
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        let file = options.open(&place).await?;
        let length = file.metadata().await?.len();
        Ok((file, length))
    }

    pub(super) fn place_of(&self, name: &str) -> PathBuf {
        self.folder.parts.join(name)
    }

    /// What is known of a file's contents.
    pub(super) async fn version(&self, name: &str) -> Version {
        let record = self.record.lock().await;
        record.files.get(name).cloned().unwrap_or_default()
    }

    /// Writes down what is known of a file's contents.
    pub(super) async fn note(&self, name: &str, version: Version) -> io::Result<()> {
        let mut record = self.record.lock().await;
        if record.files.get(name) == Some(&version) {
            return Ok(());
        }
        record.files.insert(name.to_owned(), version);
        let json = serde_json::to_vec(&*record).map_err(io::Error::other)?;
        // Replaced in one step: a record cut short would cost the parts.
        let place = self.folder.parts.join(RECORD);
        let fresh = place.with_extension("new");
        fs::write(&fresh, json).await?;
        fs::rename(&fresh, &place).await
    }

    /// Gives the folder its name.
    pub(super) async fn finish(self) -> Result<PathBuf, Error> {
        let parts = self.folder.parts.clone();
        let finish = async {
            remove(fs::remove_file(parts.join(RECORD)).await)?;
            self.folder.name(&parts).await
        };
        let result = finish.await;
        self.folder.end(result)
    }

    /// Takes an archive among the parts apart, and gives the folder of what it holds the name. What
    /// is wrong is thrown away with it. Gives the names of the files, too, and their sizes added up.
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
        let taken = crate::blocking::run(move || Ok(unpack(&packed, &into)?)).await;
        let (files, bytes) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                // An archive that is none would be none the next time, too.
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
    /// Puts a folder of files where they are wanted.
    async fn name(&self, files: &Path) -> io::Result<()> {
        remove(fs::remove_dir(&self.target).await)?;
        fs::rename(files, &self.target).await
    }

    fn end(self, named: io::Result<()>) -> Result<PathBuf, Error> {
        let Err(error) = named else {
            return Ok(self.target);
        };
        let what = format!("the files are whole, but stay in {}", self.parts.display());
        let name = self.target.display().to_string();
        Err(DownloadFailed::new(&name, what).because(error).into())
    }
}

/// What is not there need not be removed.
fn remove(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A link would let a file be written elsewhere.
async fn refuse_link(place: &Path) -> io::Result<()> {
    match fs::symlink_metadata(place).await {
        Ok(metadata) if metadata.is_symlink() => {
            let what = format!("{} is a link, which is not followed", place.display());
            Err(io::Error::new(ErrorKind::InvalidInput, what))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
