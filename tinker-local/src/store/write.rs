//! Putting a checkpoint in its place, whole or not at all.

use std::fs;
use std::path::Path;

use super::{StoreError, disk};

/// What is about to be done; tests stop here as a kill or a failing disk would.
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

/// A checkpoint on its way into the data folder.
pub(super) struct Write<'a> {
    pub(super) tmp: &'a Path,
    pub(super) checkpoints: &'a Path,
    pub(super) place: &'a Path,
    pub(super) files: &'a Files,
}

/// What is overwritten waits here, under `tmp`, until its successor is in its place.
pub(super) const REPLACED: &str = "replaced";

const NEW: &str = "new";

impl Write<'_> {
    /// Does it. On an error nothing is left behind and the old checkpoint, if there was one, is in its place.
    pub(super) fn run(&self, watch: Watch<'_>) -> Result<(), StoreError> {
        let mut is_renamed = false;
        self.steps(watch, &mut is_renamed)
            .inspect_err(|_| self.undo(is_renamed))
    }

    /// The steps without the undoing, which a killed process does not do either.
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
            // The new one is safe in its place. What can't be removed now is removed at the next start.
            let _left_over = disk::remove_all(&old);
        }
        Ok(())
    }

    /// Makes the folders above the checkpoint; those made just now must survive a crash too.
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

    /// Best effort: what fails here is settled when the folder is opened the next time.
    fn undo(&self, is_renamed: bool) {
        let (new, old) = (self.tmp.join(NEW), self.tmp.join(REPLACED));
        if is_renamed {
            // In its place but not known to be safe there: it was not acknowledged, so it goes.
            let _failed = fs::rename(self.place, &new);
        }
        if old.exists() {
            let _failed = fs::rename(&old, self.place);
        }
        let _failed = disk::remove_all(&new);
        // Folders made for it; one that holds other checkpoints stays.
        for folder in self
            .place
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != self.checkpoints)
        {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}
