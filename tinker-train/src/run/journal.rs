//! Journal of a run: a line before something is done, a line after it is acknowledged.

use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tinker_client::CheckpointPath;

use crate::error::TrainError;

/// A checkpoint that the server acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SavedStep {
    /// Number of steps in it.
    pub step: usize,
    /// Its path.
    pub path: CheckpointPath,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The steps before are those of an earlier run, in this checkpoint.
    Begun {
        step: usize,
        path: Option<CheckpointPath>,
    },
    /// A model holds the weights after this many steps, and is trained from here.
    Model { step: usize, model: String },
    /// The step with this number is about to be submitted.
    Submitted { step: usize },
    /// Its row is in the metrics.
    Done { step: usize },
    /// A checkpoint is about to be saved.
    Saving { step: usize, name: String },
    /// It is acknowledged.
    Saved(SavedStep),
    /// A checkpoint is about to be removed.
    Pruned { path: CheckpointPath },
    /// The run is complete.
    Finished {
        step: usize,
        checkpoint: CheckpointPath,
        sampler: CheckpointPath,
    },
}

impl Entry {
    /// Whether later work relies on the entry.
    fn is_durable(&self) -> bool {
        !matches!(self, Self::Submitted { .. } | Self::Done { .. })
    }
}

/// An open journal, held by one process at a time.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    state: State,
}

/// The content of a journal that a continuation needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) begun: usize,
    /// Checkpoints that exist, in the order in which they were saved.
    pub(crate) saved: Vec<SavedStep>,
    pub(crate) is_finished: bool,
    /// Checkpoints that were requested and not acknowledged: the model and the name.
    unacknowledged: Vec<(String, String)>,
    model: String,
}

impl State {
    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Begun { step, path } => {
                // The last one counts: the process may have died before the settings were written.
                self.begun = step;
                self.saved.clear();
                self.saved.extend(path.map(|path| SavedStep { step, path }));
            }
            Entry::Model { model, .. } => self.model = model,
            Entry::Saving { name, .. } => {
                self.unacknowledged.push((self.model.clone(), name));
            }
            Entry::Saved(saved) => {
                self.unacknowledged
                    .retain(|(_, name)| name != saved.path.name());
                self.saved.push(saved);
            }
            Entry::Pruned { path } => {
                self.unacknowledged.retain(|(model, name)| {
                    model.as_str() != path.run().as_str() || name != path.name()
                });
                self.saved.retain(|saved| saved.path != path);
            }
            Entry::Finished { .. } => self.is_finished = true,
            Entry::Submitted { .. } | Entry::Done { .. } => {}
        }
    }
}

impl Journal {
    /// Opens or creates the journal and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, TrainError> {
        let failed = |error| TrainError::file(format!("cannot open {}", path.display()), error);
        let mut options = File::options();
        let file = options.read(true).append(true).create(true).open(path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let folder = path.parent().unwrap_or(path);
                return Err(TrainError::InUse(folder.to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut journal = Self {
            path: path.to_owned(),
            file,
            state: State::default(),
        };
        journal.read()?;
        Ok(journal)
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Reads the entries. The last line may be a part of one, of a process that was killed; it is cut.
    fn read(&mut self) -> Result<(), TrainError> {
        let (state, whole) = State::read(&self.file, &self.path)?;
        let cut = self.file.set_len(whole);
        cut.map_err(|error| {
            TrainError::file(format!("cannot cut {}", self.path.display()), error)
        })?;
        self.state = state;
        Ok(())
    }

    /// Appends an entry. It is on the disk afterwards if later work relies on it.
    pub(crate) fn add(&mut self, entry: Entry) -> Result<(), TrainError> {
        let failed =
            |error| TrainError::file(format!("cannot write {}", self.path.display()), error);
        let mut line = serde_json::to_vec(&entry).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)?;
        if entry.is_durable() {
            self.file.sync_data().map_err(failed)?;
        }
        self.state.add(entry);
        Ok(())
    }
}

impl State {
    /// Reads the entries of a file, and the length of its whole lines.
    pub(crate) fn read(file: &File, path: &Path) -> Result<(Self, u64), TrainError> {
        let failed = |error| TrainError::file(format!("cannot read {}", path.display()), error);
        let mut source = BufReader::new(file);
        let (mut line, mut whole, mut number) = (Vec::new(), 0, 0);
        let mut state = State::default();
        loop {
            line.clear();
            let read = source.read_until(b'\n', &mut line).map_err(failed)?;
            if read == 0 || line.last() != Some(&b'\n') {
                break;
            }
            (whole, number) = (whole + read as u64, number + 1);
            let entry = serde_json::from_slice(&line).map_err(|error| TrainError::Damaged {
                path: path.to_owned(),
                line: number,
                reason: error.to_string(),
            })?;
            state.add(entry);
        }
        Ok((state, whole))
    }

    /// Addresses of the checkpoints that were requested and not acknowledged.
    pub(crate) fn unacknowledged(&self) -> Vec<String> {
        let open = self.unacknowledged.iter();
        open.map(|(model, name)| format!("tinker://{model}/weights/{name}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> CheckpointPath {
        text.parse().unwrap()
    }

    fn saved(step: usize) -> Entry {
        let path = path(&format!("tinker://r/weights/step-{step:06}"));
        Entry::Saved(SavedStep { step, path })
    }

    /// Opens a journal that was dropped. A program that another test of this process starts holds the lock for a moment.
    fn reopened(file: &Path) -> Journal {
        loop {
            match Journal::open(file) {
                Err(TrainError::InUse(_)) => std::thread::yield_now(),
                result => return result.unwrap(),
            }
        }
    }

    #[test]
    fn a_line_of_a_killed_process_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.jsonl");
        let mut journal = Journal::open(&file).unwrap();
        for entry in [
            Entry::Submitted { step: 1 },
            Entry::Done { step: 1 },
            saved(1),
        ] {
            journal.add(entry).unwrap();
        }
        drop(journal);
        let whole = std::fs::read(&file).unwrap();
        // A journal that is cut anywhere is read, and holds the checkpoint only if its line is whole.
        for cut in 0..=whole.len() {
            std::fs::write(&file, &whole[..cut]).unwrap();
            let mut journal = reopened(&file);
            assert_eq!(journal.state().saved.len(), usize::from(cut == whole.len()));
            journal.add(saved(2)).unwrap();
            drop(journal);
            let again = reopened(&file);
            assert_eq!(again.state().saved.last().unwrap().step, 2);
        }
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.jsonl");
        std::fs::write(
            &file,
            "{\"entry\":\"done\",\"step\":1}\n{\"entry\":\"x\"}\n",
        )
        .unwrap();
        let error = Journal::open(&file).unwrap_err().to_string();
        assert!(
            error.contains("journal.jsonl:2: unknown variant `x`"),
            "{error}"
        );
    }

    #[test]
    fn only_one_process_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.jsonl");
        let journal = Journal::open(&file).unwrap();
        let error = Journal::open(&file).unwrap_err();
        assert!(matches!(error, TrainError::InUse(_)), "{error}");
        drop(journal);
        Journal::open(&file).unwrap();
    }

    #[test]
    fn requests_without_an_answer_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal.jsonl")).unwrap();
        let saving = |step| Entry::Saving {
            step,
            name: format!("step-{step:06}"),
        };
        let model = "r".to_owned();
        journal.add(Entry::Model { step: 0, model }).unwrap();
        for entry in [saving(1), saved(1), saving(2)] {
            journal.add(entry).unwrap();
        }
        let open = &journal.state().unacknowledged;
        assert_eq!(open[..], [("r".to_owned(), "step-000002".to_owned())]);
    }
}
