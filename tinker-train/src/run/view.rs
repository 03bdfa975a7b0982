//! A run folder as others see it, without its lock.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::folder::{CONFIG, JOURNAL};
use super::journal::{SavedStep, State};
use crate::error::TrainError;

/// The state of a run, read beside a process that may work on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunView {
    /// Checkpoints that were acknowledged and not removed, in order; the start of the run if that is a checkpoint.
    pub checkpoints: Vec<SavedStep>,
    /// Addresses of checkpoints that were requested and not acknowledged: the server may hold them.
    pub unacknowledged: Vec<String>,
    /// Number of steps that an earlier run did.
    pub begun: usize,
    /// Whether all steps are done and the result is saved.
    pub is_finished: bool,
    /// Whether a process works on the run.
    pub is_held: bool,
}

impl RunView {
    /// Reads the journal of a run.
    ///
    /// # Errors
    /// [`TrainError::NoRun`], or a journal that cannot be read.
    pub fn read(run: &Path) -> Result<Self, TrainError> {
        let path = run.join(JOURNAL);
        if !run.join(CONFIG).is_file() || !path.is_file() {
            return Err(TrainError::NoRun(run.to_owned()));
        }
        let failed = |error| TrainError::file(format!("cannot read {}", path.display()), error);
        let file = File::open(&path).map_err(failed)?;
        let is_held = match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        };
        let (state, _) = State::read(&file, &path)?;
        Ok(Self {
            unacknowledged: state.unacknowledged(),
            begun: state.begun,
            is_finished: state.is_finished,
            checkpoints: state.saved,
            is_held,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::folder::RunFolder;

    #[test]
    fn a_run_is_seen_while_a_process_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        assert!(matches!(RunView::read(&path), Err(TrainError::NoRun(_))));
        let mut run = RunFolder::create(&path, &"settings").unwrap();
        assert!(RunView::read(&path).unwrap().is_held);
        let saved = "tinker://r/weights/step-000002".parse().unwrap();
        run.add_saved(2, saved).unwrap();
        drop(run);
        let view = RunView::read(&path).unwrap();
        assert_eq!(
            (view.checkpoints[0].step, view.is_held, view.is_finished),
            (2, false, false)
        );
        // Looking leaves no lock behind.
        RunFolder::open(&path).unwrap();
    }
}
