//! Data files of the command line: names, patterns and standard input.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use tinker_data::{
    DatasetError, Format, Index, Notes, ReadOptions, Row, Rows, matching, open_file,
};

use crate::exit::Usage;
use crate::format;
use crate::printer::Printer;
use crate::watched::{Unit, watched};

/// Options of reading data files.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ReadArgs {
    /// Format of the rows, instead of the one that their keys belong to: prompt-completion, chat, sharegpt, alpaca,
    /// glaive, question-answer, text, preference, rl or tokens.
    #[arg(long, value_name = "FORMAT", help_heading = "Data")]
    pub(crate) format: Option<Format>,
    /// Leave out lines with errors, and say how many.
    #[arg(long, help_heading = "Data")]
    pub(crate) skip_bad: bool,
    /// Accept answers without text, which teach the model to end at once.
    #[arg(long, help_heading = "Data")]
    pub(crate) allow_empty: bool,
}

impl ReadArgs {
    /// The options for the library.
    pub(crate) fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::new();
        options.format = self.format;
        options.skip_bad = self.skip_bad;
        options.allow_empty = self.allow_empty;
        options
    }

    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(&self, path: &Path) -> Result<Rows, DatasetError> {
        self.open_counted(path, &Arc::default())
    }

    /// The same as [`Self::open`]. The bytes that are read are added to `count`.
    pub(crate) fn open_counted(
        &self,
        path: &Path,
        count: &Arc<AtomicU64>,
    ) -> Result<Rows, DatasetError> {
        let source: Box<dyn Read + Send> = if is_stdin(path) {
            Box::new(std::io::stdin())
        } else {
            Box::new(open_file(path)?)
        };
        let counted = Counted {
            source,
            count: Arc::clone(count),
            digest: None,
        };
        Rows::new(path, counted, &self.options())
    }

    /// Checks the rows of all files, and shows the progress. `each` receives every row. What cannot be read twice is
    /// copied to a temporary file in `folder`, by default that of the system.
    pub(crate) fn index(
        &self,
        names: &[PathBuf],
        folder: Option<&Path>,
        printer: Printer,
        each: &mut dyn FnMut(&Row),
    ) -> anyhow::Result<Indexed> {
        let files = matching(names)?;
        let mut rows = Index::new(self.options());
        if let Some(folder) = folder {
            rows = rows.with_folder(folder);
        }
        let (count, digest) = (Arc::<AtomicU64>::default(), Arc::default());
        let total = bytes(&files);
        watched(
            printer,
            "read",
            (total, Unit::BYTES),
            &Arc::clone(&count),
            || {
                for path in &files {
                    let (count, digest) = (Arc::clone(&count), Some(Arc::clone(&digest)));
                    if is_stdin(path) {
                        let source = std::io::stdin();
                        let source = Counted {
                            source,
                            count,
                            digest,
                        };
                        rows.add_source_with(path, source, each)?;
                    } else {
                        let counted = |source| Counted {
                            source,
                            count,
                            digest,
                        };
                        rows.add_file_with(path, counted, each)?;
                    }
                }
                Ok::<(), DatasetError>(())
            },
        )?;
        let digest: &Mutex<Sha256> = &digest;
        let digest = digest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let sha256 = format::hex(&digest.finalize());
        Ok(Indexed { rows, sha256 })
    }
}

/// Data files whose rows can be read in any order.
#[derive(Debug)]
pub(crate) struct Indexed {
    pub(crate) rows: Index,
    /// SHA-256 of the files, as `cat FILES | sha256sum` prints it.
    pub(crate) sha256: String,
}

impl Indexed {
    /// Mixes the rows of the files by weights, if there are some.
    pub(crate) fn mix(&mut self, weights: &[f64], seed: u64) -> anyhow::Result<()> {
        let files = self.rows.paths().len();
        if weights.is_empty() {
            return Ok(());
        }
        if weights.len() != files {
            let message = format!(
                "--mix has {}, and there are {}; give one weight for each file",
                format::count(weights.len(), "weight"),
                format::count(files, "file")
            );
            return Err(Usage(message).into());
        }
        Ok(self.rows.select(self.rows.mixed(weights, seed))?)
    }
}

/// Bytes of files; 0 if one of them has no known length.
pub(crate) fn bytes(files: &[PathBuf]) -> u64 {
    let length = |path: &PathBuf| {
        let metadata = path.metadata().ok()?;
        metadata.is_file().then_some(metadata.len())
    };
    files.iter().map(length).sum::<Option<u64>>().unwrap_or(0)
}

/// Parses the weight of a file in a mixture.
pub(crate) fn weight(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(weight) if (0.0..=1e6).contains(&weight) => Ok(weight),
        _ => Err("give a number from 0 to 1000000".to_owned()),
    }
}

/// Whether a name stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Prints what was ignored, converted and left out.
pub(crate) fn print_notes(notes: &Notes, printer: Printer) {
    for line in note_lines(notes) {
        printer.print_note(&line);
    }
}

/// Notes as lines for people.
pub(crate) fn note_lines(notes: &Notes) -> Vec<String> {
    let number = |count: &usize| format::number(*count as u64);
    let mut lines = Vec::new();
    if !notes.ignored.is_empty() {
        let columns = notes
            .ignored
            .iter()
            .map(|(name, count)| format!("{name} ({})", number(count)));
        let columns: Vec<String> = columns.collect();
        lines.push(format!(
            "columns without a meaning are ignored: {}",
            columns.join(", ")
        ));
    }
    for (conversion, count) in &notes.conversions {
        lines.push(format!("{conversion} ({})", number(count)));
    }
    if notes.skipped > 0 {
        lines.push(format!(
            "{} with errors left out",
            format::count(notes.skipped, "line")
        ));
    }
    lines
}

/// Rows by format, for people: `1,200 chat, 4 text`.
pub(crate) fn formats(notes: &Notes) -> String {
    let formats = notes.formats.iter();
    let formats: Vec<String> = formats
        .map(|(format, count)| format!("{} {format}", format::number(*count as u64)))
        .collect();
    formats.join(", ")
}

/// A source whose bytes are counted and, if there is a digest, hashed while they are read.
struct Counted<R> {
    source: R,
    count: Arc<AtomicU64>,
    digest: Option<Arc<Mutex<Sha256>>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        if let Some(digest) = &self.digest {
            let mut digest = digest.lock().unwrap_or_else(PoisonError::into_inner);
            digest.update(&buffer[..count]);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, "{\"prompt\":\"a\",\"completion\":\"b\"}\n").unwrap();
        let quiet = Printer {
            quiet: true,
            is_live: false,
            style: crate::style::TerminalStyle::detect(true),
        };
        let read = ReadArgs::default().index(&[path], None, quiet, &mut |_| ());
        let read = read.unwrap();
        assert_eq!(read.rows.len(), 1);
        assert_eq!(
            read.sha256,
            "e07d31bdddb9aeaff065bbece8d092e987394a88450a601b00d76c066f1088b2"
        );
    }
}
