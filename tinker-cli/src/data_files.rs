//! Data files of the command line: names, patterns and standard input.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use tinker_data::{Dataset, DatasetError, Format, Notes, ReadOptions, Rows, matching};

use crate::exit::Usage;
use crate::format;
use crate::printer::Printer;

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
}

impl ReadArgs {
    /// The options for the library.
    pub(crate) fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::new();
        options.format = self.format;
        options.skip_bad = self.skip_bad;
        options
    }

    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(&self, path: &Path) -> Result<Rows, DatasetError> {
        if is_stdin(path) {
            return Rows::new(path, std::io::stdin(), &self.options());
        }
        Rows::open(path, &self.options())
    }

    /// Reads all files into memory. The digest is that of `cat FILES | sha256sum`.
    pub(crate) fn read(&self, names: &[PathBuf]) -> anyhow::Result<(Vec<Dataset>, String)> {
        let digest = Arc::new(Mutex::new(Sha256::new()));
        let options = self.options();
        let mut read = Vec::new();
        for path in matching(names)? {
            let source: Box<dyn Read + Send> = if is_stdin(&path) {
                Box::new(std::io::stdin())
            } else {
                // Refuses folders, FIFOs and devices.
                Rows::open(&path, &options)?;
                Box::new(File::open(&path)?)
            };
            let digest = Arc::clone(&digest);
            read.push(Dataset::read(path, Hashed { source, digest }, &options)?);
        }
        let digest = digest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .finalize();
        let hex = digest.iter().map(|byte| format!("{byte:02x}"));
        Ok((read, hex.collect()))
    }
}

/// Parses the weight of a file in a mixture.
pub(crate) fn weight(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(weight) if (0.0..=1e6).contains(&weight) => Ok(weight),
        _ => Err("give a number from 0 to 1000000".to_owned()),
    }
}

/// One data set of several files: one after the other, or mixed by weight.
pub(crate) fn mixed(parts: Vec<Dataset>, weights: &[f64], seed: u64) -> Result<Dataset, Usage> {
    if weights.is_empty() {
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_default();
        parts.for_each(|part| all.append(part));
        return Ok(all);
    }
    if weights.len() != parts.len() {
        let message = format!(
            "--mix has {}, and there are {}; give one weight for each file",
            format::count(weights.len(), "weight"),
            format::count(parts.len(), "file")
        );
        return Err(Usage(message));
    }
    Ok(Dataset::mix(
        parts.into_iter().zip(weights.iter().copied()).collect(),
        seed,
    ))
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

/// A source whose bytes are hashed while they are read.
struct Hashed {
    source: Box<dyn Read + Send>,
    digest: Arc<Mutex<Sha256>>,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(buffer)?;
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        digest.update(&buffer[..count]);
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
        let (read, sha256) = ReadArgs::default().read(&[path]).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(
            sha256,
            "e07d31bdddb9aeaff065bbece8d092e987394a88450a601b00d76c066f1088b2"
        );
    }
}
