//! Reading a checkpoint without locking the data folder. A finished checkpoint never changes, so it can be read while
//! an engine uses the folder.

use std::cmp::Reverse;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tinker_types::CheckpointPath;

use super::expired::Expired;
use super::file::{CONFIG, OPTIMIZER, WEIGHTS, read_record, read_whole};
use super::origin::{self, ORIGIN};
use super::peft::ReadConfig;
use super::record::{LAYOUT, Record};
use super::{StoreError, disk, folder, foreign, tensors};
use tinker_engine::backend::AdapterState;

/// A checkpoint of a data folder.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) record: Record,
    place: PathBuf,
}

impl Saved {
    /// Finds a checkpoint in a data folder.
    pub(crate) fn open(data_dir: &Path, path: &CheckpointPath) -> Result<Self, StoreError> {
        let place = folder::place(data_dir, path);
        let fits = |record: &Record| record.layout == LAYOUT && record.path == *path;
        if let Some(record) = read_record(&place).filter(fits) {
            return match record.expires.filter(|_| record.has_expired()) {
                Some(at) => Err(StoreError::Expired {
                    path: path.clone(),
                    at,
                }),
                None => Ok(Self { record, place }),
            };
        }
        let run = place.parent().and_then(Path::parent);
        let expired = run.and_then(|run| Expired::read(run).error(path));
        Err(expired.unwrap_or_else(|| StoreError::NotFound {
            path: path.clone(),
            near: format!(" in the data folder {}", data_dir.display()),
        }))
    }

    /// The checkpoints of a data folder, those of the run with the newest request first, and of a run the newest first.
    /// A missing folder has none. What disappears in the meantime is left out.
    pub(crate) fn list(data_dir: &Path) -> Result<Vec<Self>, StoreError> {
        let top = folder::checkpoints(data_dir);
        let runs = match disk::folders(&top) {
            Ok(runs) => runs,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("list", &top)(error)),
        };
        let mut runs: Vec<_> = runs.iter().filter_map(|run| Self::list_run(run)).collect();
        runs.sort_by_key(|(last_request, _)| Reverse(*last_request));
        Ok(runs.into_iter().flat_map(|(_, saved)| saved).collect())
    }

    /// The checkpoints in the folder of a run, and the time of its last request; `None` without any.
    fn list_run(run: &Path) -> Option<(jiff::Timestamp, Vec<Self>)> {
        let kinds = disk::folders(run).unwrap_or_default().into_iter();
        let places = kinds.flat_map(|kind| disk::folders(&kind).unwrap_or_default());
        let saved = places.filter_map(|place| {
            let record = read_record(&place).filter(|record| !record.has_expired())?;
            Some(Self { record, place })
        });
        let mut saved: Vec<Self> = saved.collect();
        saved.sort_by_key(|saved| Reverse(saved.record.created));
        let newest = saved.first()?.record.created;
        let origin = disk::read_file(&run.join(ORIGIN));
        let origin = origin.ok().and_then(|bytes| origin::decode(&bytes));
        let last_request = origin.map_or(newest, |origin| origin.run.last_request);
        Some((last_request, saved))
    }

    /// Reads the weights.
    pub(crate) fn state(&self) -> Result<AdapterState, StoreError> {
        read_state(&self.record, &self.place, false)
    }

    /// Reads PEFT's two files.
    pub(crate) fn peft(&self) -> Result<[(&'static str, Vec<u8>); 2], StoreError> {
        let read = |name| {
            let bytes = read_whole(&self.place, name, &self.record);
            Ok((
                name,
                bytes.map_err(|why| why.into_error(&self.record.path))?,
            ))
        };
        Ok([read(CONFIG)?, read(WEIGHTS)?])
    }

    /// The name by which PEFT loads the base model.
    pub(crate) fn base_name(&self) -> Result<String, StoreError> {
        let config = read_config(&self.record, &self.place)?;
        Ok(config.base_name().to_owned())
    }
}

fn read_config(record: &Record, place: &Path) -> Result<ReadConfig, StoreError> {
    let path = &record.path;
    let bytes = read_whole(place, CONFIG, record).map_err(|why| why.into_error(path))?;
    serde_json::from_slice(&bytes).map_err(|error| StoreError::Damaged {
        path: path.clone(),
        why: format!("{CONFIG}: {error}"),
    })
}

/// Decodes the files of a checkpoint, with the optimizer's state if requested.
pub(super) fn read_state(
    record: &Record,
    place: &Path,
    with_optimizer: bool,
) -> Result<AdapterState, StoreError> {
    let path = &record.path;
    let damaged = |why: String| StoreError::Damaged {
        path: path.clone(),
        why,
    };
    if with_optimizer && !record.files.contains_key(OPTIMIZER) {
        let why = "has no optimizer state; load it without, or load one saved with save_weights";
        return Err(StoreError::Unfit {
            path: path.clone(),
            why: why.to_owned(),
        });
    }
    let read = |name: &str| read_whole(place, name, record).map_err(|why| why.into_error(path));
    let config = read_config(record, place)?;
    let tensors = tensors::decode_adapter(&read(WEIGHTS)?, Path::new(WEIGHTS)).map_err(damaged)?;
    let unified = foreign::unify(&config, tensors, record.adapter.rank);
    let (alpha, tensors) = unified.map_err(|why| StoreError::Unfit {
        path: path.clone(),
        why: format!("cannot be loaded: {why}"),
    })?;
    let optimizer = if with_optimizer {
        let bytes = read(OPTIMIZER)?;
        Some(tensors::decode_optimizer(&bytes, &tensors, Path::new(OPTIMIZER)).map_err(damaged)?)
    } else {
        None
    };
    Ok(AdapterState {
        spec: record.adapter.clone(),
        alpha,
        tensors,
        optimizer,
    })
}
