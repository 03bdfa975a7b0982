//! Atomic writing of a checkpoint.

use std::fs;
use std::path::Path;

use super::{StoreError, disk, origin};

/// The next step of a write. Tests stop a write here, as a kill or a failing disk would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    MakeTemporary,
    WriteFile(usize),
    FlushTemporary,
    MakeParents,
    MoveOldAway,
    Rename,
    FlushParent,
    RemoveOld,
}

/// Called before each step; an error ends the write there.
pub(super) type Watch<'a> = &'a mut dyn FnMut(Step) -> Result<(), StoreError>;

/// Names and contents.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// A checkpoint that is being written.
pub(super) struct Write<'a> {
    pub(super) tmp: &'a Path,
    pub(super) checkpoints: &'a Path,
    pub(super) place: &'a Path,
    pub(super) files: &'a Files,
}

/// Name under `tmp` of an overwritten checkpoint until its successor is in place.
pub(super) const REPLACED: &str = "replaced";

const NEW: &str = "new";

impl Write<'_> {
    /// Writes the checkpoint. After an error nothing is left behind, and an existing checkpoint is still in place.
    pub(super) fn run(&self, watch: Watch<'_>) -> Result<(), StoreError> {
        let mut is_renamed = false;
        self.steps(watch, &mut is_renamed)
            .inspect_err(|_| self.undo(is_renamed))
    }

    /// The steps without undoing them after an error, like a process that is killed.
    pub(super) fn steps(&self, watch: Watch<'_>, is_renamed: &mut bool) -> Result<(), StoreError> {
        let (new, old) = (self.tmp.join(NEW), self.tmp.join(REPLACED));
        watch(Step::MakeTemporary)?;
        disk::make_folder(&new).map_err(StoreError::io("make folder", &new))?;
        for (index, (name, bytes)) in self.files.iter().enumerate() {
            watch(Step::WriteFile(index))?;
            let path = new.join(name);
            disk::write_file(&path, bytes).map_err(StoreError::io("write", &path))?;
        }
        watch(Step::FlushTemporary)?;
        disk::flush_folder(&new).map_err(StoreError::io("flush folder", &new))?;
        watch(Step::MakeParents)?;
        let parent = self.make_parents()?;
        let is_replacing = self.place.exists();
        if is_replacing {
            watch(Step::MoveOldAway)?;
            fs::rename(self.place, &old).map_err(StoreError::io("move away", self.place))?;
        }
        watch(Step::Rename)?;
        fs::rename(&new, self.place).map_err(StoreError::io("rename to", self.place))?;
        *is_renamed = true;
        watch(Step::FlushParent)?;
        disk::flush_folder(parent).map_err(StoreError::io("flush folder", parent))?;
        if is_replacing {
            watch(Step::RemoveOld)?;
            // The new one is safe. Leftovers that cannot be removed now are removed at the next start.
            let _left_over = disk::remove_all(&old);
        }
        Ok(())
    }

    /// Creates the folders above the checkpoint. New ones must survive a crash as well.
    fn make_parents(&self) -> Result<&Path, StoreError> {
        let parent = self.place.parent().unwrap_or(self.checkpoints);
        disk::make_folder(parent).map_err(StoreError::io("make folder", parent))?;
        for folder in parent
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(self.checkpoints))
        {
            disk::flush_folder(folder).map_err(StoreError::io("flush folder", folder))?;
        }
        Ok(parent)
    }

    /// Undoes the steps as far as possible. The next start of the engine does the rest.
    fn undo(&self, is_renamed: bool) {
        let (new, old) = (self.tmp.join(NEW), self.tmp.join(REPLACED));
        if is_renamed {
            // In place, but possibly not on disk: it was not acknowledged, so it is removed.
            let _failed = fs::rename(self.place, &new);
        }
        if old.exists() {
            let _failed = fs::rename(&old, self.place);
        }
        let _failed = disk::remove_all(&new);
        // Folders created for it; those that have other checkpoints stay.
        if let Some(parent) = self.place.parent() {
            origin::remove_empty(parent, self.checkpoints);
        }
    }
}
