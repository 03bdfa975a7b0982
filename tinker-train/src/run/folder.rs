//! Folder of a run. Its files are complete or absent; journal and metrics grow line by line.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tinker_client::CheckpointPath;

use super::journal::{Entry, Journal, SavedStep};
use super::tensorboard::{EVENTS, EventFile};
use crate::error::TrainError;
use crate::row::StepRow;

/// Settings of the run, and the identity of the data.
pub const CONFIG: &str = "config.json";
/// Record of what was submitted and acknowledged. Its lock is the lock of the run.
pub const JOURNAL: &str = "journal.jsonl";
/// One JSON object for each step.
pub const METRICS: &str = "metrics.jsonl";

/// An open run folder. One process at a time holds it; drop or exit releases it.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    journal: Journal,
    events: Option<EventFile>,
    done: usize,
    /// Whether this process created it.
    is_new: bool,
}

impl RunFolder {
    /// Creates the folder and writes the settings, so that a folder that cannot be written is an error before the run.
    ///
    /// # Errors
    /// [`TrainError::Taken`] if the folder holds a run; a folder that cannot be created or written.
    pub fn create(path: &Path, config: &impl Serialize) -> Result<Self, TrainError> {
        Self::create_at(path, config, &[], 0, None)
    }

    /// The same for a run whose first steps were done by an earlier run, whose weights are in a checkpoint. `others` are names
    /// and texts of files without which the run cannot be continued: a folder with settings has them.
    ///
    /// # Errors
    /// Those of [`Self::create`].
    pub fn create_at(
        path: &Path,
        config: &impl Serialize,
        others: &[(&str, &str)],
        step: usize,
        checkpoint: Option<CheckpointPath>,
    ) -> Result<Self, TrainError> {
        if path.join(CONFIG).exists() {
            return Err(TrainError::Taken(path.to_owned()));
        }
        let cannot = |error| {
            TrainError::file(
                format!("cannot create the run folder {}", path.display()),
                error,
            )
        };
        std::fs::create_dir_all(path).map_err(cannot)?;
        let mut journal = Journal::open(&path.join(JOURNAL))?;
        let metrics = File::create(path.join(METRICS)).map_err(cannot)?;
        // Before the settings, without which the folder holds no run.
        journal.add(Entry::Begun {
            step,
            path: checkpoint,
        })?;
        let folder = Self {
            path: path.to_owned(),
            metrics,
            journal,
            events: None,
            done: step,
            is_new: true,
        };
        for (name, text) in others {
            folder.write(name, text)?;
        }
        folder.write_json(CONFIG, config)?;
        Ok(folder)
    }

    /// Opens the folder of an earlier process. [`Self::rewind`] prepares it for more steps.
    ///
    /// # Errors
    /// [`TrainError::NoRun`], [`TrainError::InUse`], and files that cannot be read.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        if !path.join(CONFIG).is_file() || !path.join(JOURNAL).is_file() {
            return Err(TrainError::NoRun(path.to_owned()));
        }
        let journal = Journal::open(&path.join(JOURNAL))?;
        let mut folder = Self {
            metrics: append(&path.join(METRICS))?,
            path: path.to_owned(),
            journal,
            events: None,
            done: 0,
            is_new: false,
        };
        let rows = folder.rows()?;
        folder.done = rows.last().map_or(folder.begun(), |row| row.number);
        Ok(folder)
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process created the folder: files that it holds besides are those of another run.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Number of steps done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Number of steps that an earlier run did.
    pub fn begun(&self) -> usize {
        self.journal.state().begun
    }

    /// The last checkpoint that was acknowledged and not removed.
    pub fn saved(&self) -> Option<&SavedStep> {
        self.journal.state().saved.last()
    }

    /// All checkpoints that were acknowledged and not removed, in order.
    pub fn checkpoints(&self) -> &[SavedStep] {
        &self.journal.state().saved
    }

    /// Whether the run is complete.
    pub fn is_finished(&self) -> bool {
        self.journal.state().is_finished
    }

    /// Checkpoints that were requested and not acknowledged: the server may hold them, under these names.
    pub fn unacknowledged(&self) -> Vec<String> {
        self.journal.state().unacknowledged()
    }

    /// The rows of the metrics. A part of a row, of a process that was killed, is left out.
    ///
    /// # Errors
    /// A file that cannot be read, or a row that is damaged.
    pub fn rows(&self) -> Result<Vec<StepRow>, TrainError> {
        let path = self.path.join(METRICS);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(TrainError::file(
                    format!("cannot read {}", path.display()),
                    error,
                ));
            }
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let lines = text[..whole].split(|byte| *byte == b'\n');
        let lines = lines.enumerate().filter(|(_, line)| !line.is_empty());
        let row = |(at, line): (usize, &[u8])| {
            serde_json::from_slice(line).map_err(|error| TrainError::Damaged {
                path: path.clone(),
                line: at + 1,
                reason: error.to_string(),
            })
        };
        lines.map(row).collect()
    }

    /// Goes back to the last checkpoint, and cuts the rows behind it. `None` if there is none: the run begins anew.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn rewind(&mut self) -> Result<Option<SavedStep>, TrainError> {
        let saved = self.saved().cloned();
        let step = saved.as_ref().map_or(0, |saved| saved.step);
        let rows = self.rows()?;
        let kept = rows.iter().filter(|row| row.number <= step);
        let mut text = Vec::new();
        for row in kept {
            line(row, &mut text)?;
        }
        self.write_bytes(METRICS, &text)?;
        self.metrics = append(&self.path.join(METRICS))?;
        self.done = step;
        if self.events.is_some() {
            self.write_events()?;
        }
        Ok(saved)
    }

    /// Also writes the rows from here on as TensorBoard events, to [`EVENTS`](crate::EVENTS) in the folder. Events of rows that
    /// were cut no longer count.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn write_events(&mut self) -> Result<(), TrainError> {
        self.events = Some(EventFile::open(&self.path, self.done)?);
        Ok(())
    }

    /// Notes that a checkpoint is about to be removed from the server.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add_pruned(&mut self, path: CheckpointPath) -> Result<(), TrainError> {
        self.note(Entry::Pruned { path })
    }

    /// Appends a row to the metrics.
    pub(crate) fn add_row(&mut self, row: &StepRow) -> Result<(), TrainError> {
        let mut text = Vec::new();
        line(row, &mut text)?;
        self.metrics
            .write_all(&text)
            .map_err(|error| self.cannot_write(METRICS, error))?;
        if let Some(events) = &mut self.events {
            events.add_row(row)?;
        }
        self.done = row.number;
        self.note(Entry::Done { step: row.number })
    }

    /// Notes a checkpoint. The rows before it are on the disk first.
    pub(crate) fn add_saved(
        &mut self,
        step: usize,
        path: CheckpointPath,
    ) -> Result<(), TrainError> {
        self.metrics
            .sync_data()
            .map_err(|error| self.cannot_write(METRICS, error))?;
        self.note(Entry::Saved(SavedStep { step, path }))
    }

    pub(crate) fn note(&mut self, entry: Entry) -> Result<(), TrainError> {
        self.journal.add(entry)
    }

    /// Writes a JSON file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), TrainError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| self.cannot_write(name, error.into()))?;
        text.push('\n');
        self.write(name, &text)
    }

    /// Writes a file under a temporary name and renames it, so that readers never see a part of it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), TrainError> {
        self.write_bytes(name, text.as_bytes())
    }

    fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        let temporary = self.path.join(format!(".{name}.part"));
        std::fs::write(&temporary, bytes)
            .and_then(|()| std::fs::rename(&temporary, self.path.join(name)))
            .map_err(|error| self.cannot_write(name, error))
    }

    fn cannot_write(&self, name: &str, error: std::io::Error) -> TrainError {
        let path = self.path.join(name);
        TrainError::file(format!("cannot write {}", path.display()), error)
    }

    /// Removes the folder of a run that ended before its first step, with these files of the caller. Other files stay, and so
    /// does a folder that was opened to continue a run.
    pub fn discard(self, others: &[&str]) {
        if !self.is_new {
            return;
        }
        // Without settings the folder holds no run.
        let own = [CONFIG, JOURNAL, METRICS, EVENTS];
        for name in own.iter().chain(others) {
            // At worst a folder without a run stays behind.
            let _ = std::fs::remove_file(self.path.join(name));
        }
        let _ = std::fs::remove_dir(&self.path);
    }
}

fn append(path: &Path) -> Result<File, TrainError> {
    let mut options = File::options();
    let file = options.append(true).create(true).open(path);
    file.map_err(|error| TrainError::file(format!("cannot open {}", path.display()), error))
}

fn line(row: &StepRow, text: &mut Vec<u8>) -> Result<(), TrainError> {
    serde_json::to_writer(&mut *text, row)
        .map_err(|error| TrainError::file("cannot write a row".to_owned(), error.into()))?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests;
