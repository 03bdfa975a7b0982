//! The checkpoints of one data folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tinker_types::CheckpointPath;

use super::expired::{EXPIRED, Expired};
use super::file::{CONFIG, OPTIMIZER, RECORD, WEIGHTS, read_record};
use super::folder::Folder;
use super::origin;
use super::peft::AdapterConfig;
use super::record::{NewCheckpoint, Record};
use super::write::{Files, REPLACED, Watch, Write};
use super::{StoreError, disk, saved, tensors};
use crate::audit::{AuditTrail, Entry};
use tinker_engine::backend::AdapterState;

/// Name under `tmp` of a checkpoint that is being removed.
const REMOVED: &str = "removed";

/// Most checkpoints that an error message lists.
const LISTED: usize = 5;

/// The checkpoints of one data folder. The index is read when the folder is opened, and updated by each write: text from
/// a request is looked up in it and never becomes a file name.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) folder: Folder,
    pub(super) known: BTreeMap<String, (Record, PathBuf)>,
    pub(super) audit: Arc<AuditTrail>,
    expired: Expired,
}

impl Store {
    /// Opens a data folder and creates it if needed. Unfinished writes of a killed process are removed.
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        Self::of(Folder::open(root)?)
    }

    /// Opens a temporary folder, removed on drop.
    pub(crate) fn temporary() -> Result<Self, StoreError> {
        Self::of(Folder::temporary()?)
    }

    fn of(folder: Folder) -> Result<Self, StoreError> {
        let mut store = Self {
            folder,
            known: BTreeMap::new(),
            audit: Arc::default(),
            expired: Expired::default(),
        };
        store.settle()?;
        store.clear_uploads()?;
        store.scan()?;
        store.drop_expired();
        Ok(store)
    }

    /// Records changes to checkpoints in an audit trail.
    pub(crate) fn with_audit(mut self, audit: Arc<AuditTrail>) -> Self {
        self.audit = audit;
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.root()
    }

    /// An empty folder for weights of samplers.
    pub(crate) fn samplers(&self) -> Result<PathBuf, StoreError> {
        self.folder.samplers()
    }

    /// Removes leftovers of interrupted writes. An overwritten checkpoint whose successor is incomplete is put back
    /// first.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        let tmp = self.folder.tmp();
        let replaced = tmp.join(REPLACED);
        if let Some(record) = read_record(&replaced) {
            let place = self.folder.place(&record.path);
            if !place.exists() {
                fs::rename(&replaced, &place).map_err(StoreError::io("put back", &place))?;
                let parent = place.parent().unwrap_or(&place);
                disk::flush_folder(parent).map_err(StoreError::io("flush folder", parent))?;
                tracing::warn!(path = %record.path, "an interrupted overwrite is undone");
            }
        }
        for entry in fs::read_dir(&tmp).map_err(StoreError::io("list", &tmp))? {
            let path = entry.map_err(StoreError::io("list", &tmp))?.path();
            disk::remove_all(&path).map_err(StoreError::io("remove", &path))?;
        }
        Ok(())
    }

    /// Reads the existing checkpoints. Other files and folders are ignored.
    fn scan(&mut self) -> Result<(), StoreError> {
        let top = self.folder.checkpoints();
        for run in disk::folders(&top).map_err(StoreError::io("list", &top))? {
            // A kill while a checkpoint was being removed leaves empty folders.
            for kind in disk::folders(&run).map_err(StoreError::io("list", &run))? {
                origin::remove_empty(&kind, &top);
            }
            origin::remove_empty(&run, &top);
            if !run.exists() {
                continue;
            }
            self.expired.merge(Expired::read(&run));
            for kind in disk::folders(&run).map_err(StoreError::io("list", &run))? {
                for place in disk::folders(&kind).map_err(StoreError::io("list", &kind))? {
                    match read_record(&place) {
                        Some(record) if self.folder.place(&record.path) == place => {
                            self.known.insert(record.path.to_string(), (record, place));
                        }
                        _ => {
                            tracing::warn!(folder = %place.display(), "not a readable checkpoint, ignored");
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes expired checkpoints.
    pub(crate) fn drop_expired(&mut self) {
        let expired: Vec<_> = self
            .known
            .extract_if(.., |_, (record, _)| record.has_expired())
            .collect();
        for (_, (record, place)) in expired {
            tracing::info!(path = %record.path, "the checkpoint has expired");
            let entry = Entry::new("checkpoint_deleted").of_checkpoint(&record.path);
            self.audit.note(entry.for_purpose("expired"));
            if let Err(error) = self.clear(&place) {
                tracing::warn!(%error, folder = %place.display(), "an expired checkpoint could not be removed");
            }
            if let Some(at) = record.expires {
                self.expired.insert(&record.path, at);
            }
            self.keep_expired(&record.path, &place);
        }
    }

    /// Stores the expired checkpoints of a run beside the others, if it has any. Only messages depend on it, so failures
    /// are logged.
    fn keep_expired(&self, path: &CheckpointPath, place: &Path) {
        let run = place.parent().and_then(Path::parent);
        let Some(run) = run.filter(|run| run.is_dir()) else {
            return;
        };
        let file = self.expired.of_run(path.run().as_str()).encode();
        if let Err(error) = self.folder.replace(run, EXPIRED, &file) {
            tracing::warn!(%error, "the list of expired checkpoints could not be stored");
        }
    }

    /// Removes a checkpoint's folder, and its parents if they are empty.
    pub(super) fn clear(&self, place: &Path) -> io::Result<()> {
        // Moved away first: a kill must not leave half a checkpoint in place.
        let away = self.folder.tmp().join(REMOVED);
        disk::remove_all(&away)?;
        fs::rename(place, &away)?;
        if let Some(parent) = place.parent() {
            disk::flush_folder(parent)?;
            origin::remove_empty(parent, &self.folder.checkpoints());
        }
        disk::remove_all(&away)
    }

    /// Writes a checkpoint. Once this returns, the checkpoint survives a crash of the machine.
    pub(crate) fn save(
        &mut self,
        new: &NewCheckpoint,
        state: &AdapterState,
    ) -> Result<CheckpointPath, StoreError> {
        self.save_watched(new, state, &mut |_| Ok(()))
    }

    fn save_watched(
        &mut self,
        new: &NewCheckpoint,
        state: &AdapterState,
        watch: Watch<'_>,
    ) -> Result<CheckpointPath, StoreError> {
        self.drop_expired();
        self.settle()?;
        let place = self.folder.place(&new.path);
        if place.exists() && !new.overwrite {
            return Err(StoreError::Taken {
                path: new.path.clone(),
            });
        }
        let (record, files) = encode(new, state)?;
        let (tmp, checkpoints) = (self.folder.tmp(), self.folder.checkpoints());
        Write {
            tmp: &tmp,
            checkpoints: &checkpoints,
            place: &place,
            files: &files,
        }
        .run(watch)?;
        let entry = Entry::new("checkpoint_created").of_checkpoint(&new.path);
        self.audit.note(entry.with_detail("bytes", record.size()));
        self.known.insert(new.path.to_string(), (record, place));
        Ok(new.path.clone())
    }

    /// The record of a checkpoint.
    pub(crate) fn find(&mut self, path: &CheckpointPath) -> Result<&Record, StoreError> {
        self.drop_expired();
        self.entry(path).map(|(record, _)| record)
    }

    pub(super) fn entry(&self, path: &CheckpointPath) -> Result<&(Record, PathBuf), StoreError> {
        self.known.get(&path.to_string()).ok_or_else(|| {
            if let Some(expired) = self.expired.error(path) {
                return expired;
            }
            let of_run: Vec<String> = self
                .list_run(path.run().as_str())
                .map(|record| record.path.to_string())
                .collect();
            let (shown, others) = of_run.split_at(of_run.len().min(LISTED));
            let mut near = match shown {
                [] => "; the run has no checkpoints in this data folder".to_owned(),
                paths => format!("; the run has {}", paths.join(", ")),
            };
            if !others.is_empty() {
                near = format!("{near} and {} more", others.len());
            }
            StoreError::NotFound {
                path: path.clone(),
                near,
            }
        })
    }

    /// Reads a checkpoint, with the optimizer's state if requested.
    pub(crate) fn load(
        &mut self,
        path: &CheckpointPath,
        with_optimizer: bool,
    ) -> Result<(Record, AdapterState), StoreError> {
        self.drop_expired();
        let (record, place) = self.entry(path)?;
        let state = saved::read_state(record, place, with_optimizer)?;
        Ok((record.clone(), state))
    }

    /// All checkpoints, newest first.
    pub(crate) fn list(&mut self) -> Vec<Record> {
        self.drop_expired();
        let mut records: Vec<Record> = self.records().cloned().collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.created));
        records
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.known.values().map(|(record, _)| record)
    }

    pub(super) fn list_run<'a>(&'a self, run: &'a str) -> impl Iterator<Item = &'a Record> {
        let of_run = move |record: &&Record| record.path.run().as_str() == run;
        self.records().filter(of_run)
    }

    /// Whether a session with this id has checkpoints here.
    pub(crate) fn has_session(&self, session: &str) -> bool {
        let mut runs = self.records().map(|record| record.path.run());
        runs.any(|run| run.session().as_str() == session)
    }
}

/// The record of a checkpoint and the contents of its files.
fn encode(new: &NewCheckpoint, state: &AdapterState) -> Result<(Record, Files), StoreError> {
    let unfit = |why: String| StoreError::Unfit {
        path: new.path.clone(),
        why: format!("can't be written: {why}"),
    };
    let json = |e: serde_json::Error| unfit(e.to_string());
    let config =
        serde_json::to_vec_pretty(&AdapterConfig::new(&new.base_name(), state)).map_err(json)?;
    let mut files = vec![
        (CONFIG.to_owned(), config),
        (
            WEIGHTS.to_owned(),
            tensors::encode_adapter(&state.tensors).map_err(unfit)?,
        ),
    ];
    if let Some(optimizer) = &state.optimizer {
        files.push((
            OPTIMIZER.to_owned(),
            tensors::encode_optimizer(&state.tensors, optimizer).map_err(unfit)?,
        ));
    }
    let sizes = files
        .iter()
        .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
        .collect();
    let record = Record::new(new, &state.spec, sizes);
    files.push((
        RECORD.to_owned(),
        serde_json::to_vec_pretty(&record).map_err(json)?,
    ));
    Ok((record, files))
}

#[cfg(test)]
mod tests;
