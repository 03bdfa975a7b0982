//! Changes to saved checkpoints.

use std::time::Duration;

use tinker_types::CheckpointPath;

use super::file::{RECORD, Unreadable, read_whole};
use super::record::Record;
use super::write::{Files, Write};
use super::{Store, StoreError};
use crate::audit::Entry;
use crate::clock;
use crate::tenant::Owner;

/// Longest sleep until the next look for expired checkpoints: the system clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);

impl Store {
    /// Removes a checkpoint.
    pub(crate) fn remove(&mut self, path: &CheckpointPath) -> Result<(), StoreError> {
        self.drop_expired();
        let (_, place) = self.entry(path)?;
        self.clear(place).map_err(StoreError::io("remove", place))?;
        self.known.remove(&path.to_string());
        self.audit
            .note(Entry::new("checkpoint_deleted").of_checkpoint(path));
        Ok(())
    }

    /// Makes a checkpoint public or private.
    pub(crate) fn set_public(
        &mut self,
        path: &CheckpointPath,
        public: bool,
    ) -> Result<(), StoreError> {
        if self.find(path)?.public == public {
            return Err(StoreError::AlreadySo {
                path: path.clone(),
                state: if public { "public" } else { "private" },
            });
        }
        self.change(path, |record| record.public = public)?;
        let event = if public {
            "checkpoint_published"
        } else {
            "checkpoint_unpublished"
        };
        self.audit.note(Entry::new(event).of_checkpoint(path));
        Ok(())
    }

    /// Sets the lifetime of a checkpoint from now; `None` keeps it.
    pub(crate) fn set_lifetime(
        &mut self,
        path: &CheckpointPath,
        lifetime: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.drop_expired();
        self.change(path, |record| {
            record.expires = lifetime.map(clock::calendar_after);
        })?;
        let seconds = lifetime.map(|lifetime| lifetime.as_secs());
        let entry = Entry::new("checkpoint_expiry_set").of_checkpoint(path);
        self.audit.note(entry.with_detail("ttl_seconds", seconds));
        Ok(())
    }

    fn change(
        &mut self,
        path: &CheckpointPath,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), StoreError> {
        let (record, place) = self.entry(path)?;
        let (mut record, place) = (record.clone(), place.clone());
        change(&mut record);
        let encoded = encode(path, &record)?;
        self.folder.replace(&place, RECORD, &encoded)?;
        self.known.insert(path.to_string(), (record, place));
        Ok(())
    }

    /// Copies a checkpoint to another path. The copy is private to its owner.
    pub(crate) fn copy(
        &mut self,
        from: &CheckpointPath,
        to: &CheckpointPath,
        lifetime: Option<Duration>,
        owner: Option<Owner>,
    ) -> Result<(), StoreError> {
        self.drop_expired();
        self.settle()?;
        let (record, place) = self.entry(from)?;
        let mut copied = Record {
            path: to.clone(),
            created: clock::calendar(),
            expires: lifetime.map(clock::calendar_after),
            public: false,
            owner,
            ..record.clone()
        };
        let mut files: Files = Vec::with_capacity(record.files.len() + 1);
        for (name, size) in &mut copied.files {
            let bytes = read_whole(place, name, record).map_err(|why| why.into_error(from))?;
            *size = bytes.len() as u64;
            files.push((name.clone(), bytes));
        }
        files.push((RECORD.to_owned(), encode(to, &copied)?));
        let place = self.folder.place(to);
        if place.exists() {
            return Err(StoreError::Taken { path: to.clone() });
        }
        Write {
            tmp: &self.folder.tmp(),
            checkpoints: &self.folder.checkpoints(),
            place: &place,
            files: &files,
        }
        .run(&mut |_| Ok(()))?;
        let entry = Entry::new("checkpoint_copied").of_checkpoint(to);
        self.audit
            .note(entry.with_detail("source_path", from.to_string()));
        self.known.insert(to.to_string(), (copied, place));
        Ok(())
    }

    /// One file of a checkpoint.
    pub(crate) fn file(
        &mut self,
        path: &CheckpointPath,
        name: &str,
    ) -> Result<Vec<u8>, StoreError> {
        self.drop_expired();
        let (record, place) = self.entry(path)?;
        if !record.files.contains_key(name) {
            return Err(StoreError::Unfit {
                path: path.clone(),
                why: format!("has no file {name:?}"),
            });
        }
        read_whole(place, name, record).map_err(|why: Unreadable| why.into_error(path))
    }

    /// Time until the next checkpoint may expire.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        let next = self.records().filter_map(|record| record.expires).min()?;
        let wait = Duration::try_from(next.duration_since(clock::calendar())).unwrap_or_default();
        // Rounds up, so that the thread does not wake a moment too early again and again.
        Some((wait + Duration::from_millis(1)).min(LONGEST_SLEEP))
    }
}

fn encode(path: &CheckpointPath, record: &Record) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec_pretty(record).map_err(|error| StoreError::Unfit {
        path: path.clone(),
        why: format!("can't be written: {error}"),
    })
}
