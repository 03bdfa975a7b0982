//! Names and contents of the files of a checkpoint.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tinker_types::CheckpointPath;

use super::record::Record;
use super::{StoreError, disk};

pub(super) const WEIGHTS: &str = "adapter_model.safetensors";
pub(super) const OPTIMIZER: &str = "optimizer.safetensors";
pub(super) const CONFIG: &str = "adapter_config.json";
pub(super) const RECORD: &str = "checkpoint.json";

pub(super) fn read_record(place: &Path) -> Option<Record> {
    let bytes = disk::read_file(&place.join(RECORD)).ok()?;
    let record: Record = serde_json::from_slice(&bytes).ok()?;
    record.is_sound().then_some(record)
}

pub(super) enum Unreadable {
    System(io::Error, PathBuf),
    Size(String),
}

impl Unreadable {
    pub(super) fn into_error(self, path: &CheckpointPath) -> StoreError {
        match self {
            Self::System(source, file) => StoreError::io("read", &file)(source),
            Self::Size(why) => StoreError::Damaged {
                path: path.clone(),
                why,
            },
        }
    }
}

/// Reads a file of a checkpoint. A file that does not have the size it was written with is refused.
pub(super) fn read_whole(place: &Path, name: &str, record: &Record) -> Result<Vec<u8>, Unreadable> {
    let file = whole(place, name, record)?;
    fs::read(&file).map_err(|error| Unreadable::System(error, file))
}

/// Opens the file for reading later. Its content stays the same when the checkpoint is removed or overwritten.
pub(super) fn open_whole(place: &Path, name: &str, record: &Record) -> Result<File, Unreadable> {
    let file = whole(place, name, record)?;
    File::open(&file).map_err(|error| Unreadable::System(error, file))
}

/// The path of the file, after checking its size.
fn whole(place: &Path, name: &str, record: &Record) -> Result<PathBuf, Unreadable> {
    let file = place.join(name);
    let system = |error| Unreadable::System(error, file.clone());
    let have = match disk::plain_size(&file) {
        Ok(have) => have,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => {
            return Err(Unreadable::Size(format!("{name}: {error}")));
        }
        Err(error) => return Err(system(error)),
    };
    let want = record.files.get(name).copied().unwrap_or(0);
    if have != want {
        return Err(Unreadable::Size(format!(
            "{name} has {have} bytes instead of {want}"
        )));
    }
    Ok(file)
}
