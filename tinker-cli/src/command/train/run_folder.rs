//! Folder with the records of a run. Its files are complete or absent; the metrics grow line by line.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use crate::clock;
use crate::data_files::is_stdin;
use crate::exit::Usage;

/// Settings and the identity of the data.
pub(crate) const CONFIG: &str = "config.json";
/// One JSON object for each step.
pub(crate) const METRICS: &str = "metrics.jsonl";
/// Held-out prompts with the answers before and after training.
pub(crate) const SAMPLES: &str = "samples.json";
/// The result: the object that `--json` prints, without samples and metrics.
pub(crate) const SUMMARY: &str = "summary.json";
/// Plot of the loss.
pub(crate) const PLOT: &str = "loss.svg";

/// The conversation that the suggested command asks again, if options cannot express it.
pub(crate) const QUESTION: &str = "question.json";

/// All files of a finished run, apart from [`QUESTION`].
pub(crate) const FILES: [&str; 5] = [CONFIG, METRICS, SAMPLES, SUMMARY, PLOT];

/// An open run folder.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    metrics: File,
}

impl RunFolder {
    /// The default folder: `runs/<data>-<time>`, with the time in UTC.
    pub(crate) fn default_path(data: &Path) -> PathBuf {
        let stem = data.file_stem().unwrap_or_default().to_string_lossy();
        let stem = if is_stdin(data) { "stdin".into() } else { stem };
        Path::new("runs").join(format!("{stem}-{}", clock::now_compact()))
    }

    /// The folder itself, or the nearest one above it that exists.
    pub(crate) fn nearest(path: &Path) -> Option<PathBuf> {
        let here = |path: &Path| {
            if path.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                path.to_owned()
            }
        };
        path.ancestors().map(here).find(|path| path.is_dir())
    }

    /// Creates the folder and writes the settings, so that a folder that cannot be written is an error before the run.
    pub(crate) fn create(path: &Path, config: &impl Serialize) -> anyhow::Result<Self> {
        let cannot = || format!("cannot create the run folder {}", path.display());
        if path.join(CONFIG).exists() {
            let message = format!(
                "{} already holds a run; choose another --output",
                path.display()
            );
            return Err(Usage(message).into());
        }
        std::fs::create_dir_all(path).with_context(cannot)?;
        let metrics = File::create(path.join(METRICS)).with_context(cannot)?;
        let folder = Self {
            path: path.to_owned(),
            metrics,
        };
        folder.write_json(CONFIG, config)?;
        Ok(folder)
    }

    /// Path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line to the metrics.
    pub(crate) fn append(&mut self, step: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(step)?;
        line.push(b'\n');
        self.metrics
            .write_all(&line)
            .with_context(|| format!("cannot write {}", self.path.join(METRICS).display()))
    }

    /// Replaces the metrics.
    pub(crate) fn rewrite(&mut self, steps: &[impl Serialize]) -> anyhow::Result<()> {
        let path = self.path.join(METRICS);
        self.metrics =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        steps.iter().try_for_each(|step| self.append(step))
    }

    /// Writes a JSON file.
    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(value)?;
        text.push('\n');
        self.write(name, &text)
    }

    /// Writes a file under a temporary name and renames it, so that readers never see a part of it.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let (target, temporary) = (
            self.path.join(name),
            self.path.join(format!(".{name}.part")),
        );
        std::fs::write(&temporary, text)
            .and_then(|()| std::fs::rename(&temporary, &target))
            .with_context(|| format!("cannot write {}", target.display()))
    }

    /// Removes the folder of a run that ended before its first step. Files of others stay.
    pub(crate) fn discard(self) {
        for name in [METRICS, CONFIG] {
            // At worst an empty run folder stays behind.
            let _ = std::fs::remove_file(self.path.join(name));
        }
        let _ = std::fs::remove_dir(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(path: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(path).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn appended_lines_can_be_read_at_once() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/run");
        let mut folder = RunFolder::create(&path, &["settings"]).unwrap();
        folder.append(&[1]).unwrap();
        folder.append(&[2]).unwrap();
        folder.write(PLOT, "<svg/>").unwrap();
        let metrics = || std::fs::read_to_string(path.join(METRICS)).unwrap();
        assert_eq!(metrics(), "[1]\n[2]\n");
        folder.rewrite(&[[1]]).unwrap();
        folder.append(&[3]).unwrap();
        assert_eq!(metrics(), "[1]\n[3]\n");
        assert_eq!(
            files(&path),
            [CONFIG, PLOT, METRICS],
            "no temporary files are left"
        );
    }

    #[test]
    fn a_run_is_never_written_over() {
        let temporary = tempfile::tempdir().unwrap();
        RunFolder::create(temporary.path(), &0).unwrap();
        let error = RunFolder::create(temporary.path(), &0).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains("already holds a run"));
    }

    #[test]
    fn a_file_at_the_path_is_an_error() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("taken");
        std::fs::write(&path, "").unwrap();
        let error = RunFolder::create(&path.join("run"), &0).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot create the run folder "),
            "{error:#}"
        );
    }

    #[test]
    fn a_discarded_run_leaves_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("run");
        RunFolder::create(&path, &0).unwrap().discard();
        assert!(!path.exists());
    }
}
