//! Runs with checkpoints in a data folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tinker_types::{ModelId, SessionStatus};

use super::checkpoints::Store;
use super::disk;
use super::error::StoreError;
use super::origin::{self, ORIGIN};
use super::record::Record;
use crate::note::{Origin, RunNote, SessionNote};

impl Store {
    /// Stores a run beside its checkpoints. Only lists depend on it, so failures are logged.
    pub(crate) fn try_keep_origin(&self, origin: &Origin) {
        if let Err(error) = self.keep_origin(origin) {
            tracing::warn!(run = %origin.run.id, error = %error.report(), "the record of a run could not be stored");
        }
    }

    /// Stores a run beside its checkpoints, if it has any.
    pub(crate) fn keep_origin(&self, origin: &Origin) -> Result<(), StoreError> {
        let Some(place) = self.run_folder(&origin.run.id) else {
            return Ok(());
        };
        self.folder.replace(&place, ORIGIN, &origin::encode(origin))
    }

    /// The runs with checkpoints here, oldest first. A missing file is reconstructed from the checkpoints.
    pub(crate) fn origins(&self) -> Vec<Origin> {
        let runs: BTreeSet<&ModelId> = self.records().map(|record| record.path.run()).collect();
        let origins = runs.into_iter().filter_map(|run| self.origin(run));
        let mut origins: Vec<Origin> = origins.collect();
        origins.sort_by_key(|origin| origin.session.created);
        origins
    }

    fn origin(&self, run: &ModelId) -> Option<Origin> {
        let kept = self.run_folder(run).and_then(|folder| {
            let origin = origin::decode(&disk::read_file(&folder.join(ORIGIN)).ok()?)?;
            (origin.run.id == *run).then_some(origin)
        });
        let mut origin = match kept {
            Some(origin) => origin,
            None => self.derived(run)?,
        };
        origin.session.owner = self
            .list_run(run.as_str())
            .find_map(|record| record.owner.clone());
        if origin.session.status == SessionStatus::Active {
            origin.session.status = SessionStatus::Cancelled {
                detail: Some("the engine it ran on has stopped".to_owned()),
            };
        }
        Some(origin)
    }

    fn derived(&self, run: &ModelId) -> Option<Origin> {
        let created = |record: &&Record| record.created;
        let first = self.list_run(run.as_str()).min_by_key(created)?;
        let last = self.list_run(run.as_str()).max_by_key(created)?;
        Some(Origin {
            run: RunNote {
                id: run.clone(),
                base_model: last.base_model.clone(),
                lora_rank: last.adapter.rank,
                last_request: last.created,
                user_metadata: BTreeMap::new(),
            },
            session: SessionNote::new(run.session(), first.created),
        })
    }

    fn run_folder(&self, run: &ModelId) -> Option<PathBuf> {
        let (_, place) = self
            .known
            .values()
            .find(|(record, _)| record.path.run() == run)?;
        Some(place.parent()?.parent()?.to_owned())
    }
}
