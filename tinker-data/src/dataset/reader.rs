//! Whole data files in memory.

use std::io::{Cursor, Read};
use std::path::PathBuf;

use super::error::{DatasetError, LineError};
use super::errors::Errors;
use super::notes::Notes;
use super::options::ReadOptions;
use super::row::Row;
use super::rows::Rows;

/// The examples of data files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// Path of the file, for error messages; of the first one if there are several.
    pub path: PathBuf,
    /// The examples, in the order of the files.
    pub rows: Vec<Row>,
    /// How the files were read.
    pub notes: Notes,
    /// Whether lines with errors are left out, here and by [`Self::encode`].
    pub skip_bad: bool,
    /// Lines that were left out, at most the first 100,000. [`Notes::skipped`] is their number.
    pub refused: Vec<LineError>,
}

impl Dataset {
    /// Parses the content of the file at `path`, in any container and format.
    ///
    /// # Errors
    /// Lines that are not examples, all of them at once, or a file without examples.
    pub fn parse(path: impl Into<PathBuf>, content: &[u8]) -> Result<Self, DatasetError> {
        let source = Cursor::new(content.to_vec());
        Self::read(path, source, &ReadOptions::default())
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// A file that cannot be read, lines that are not examples, or a file without examples.
    pub fn open(path: impl Into<PathBuf>, options: &ReadOptions) -> Result<Self, DatasetError> {
        let path = path.into();
        Self::collect(Rows::open(&path, options)?, path, options)
    }

    /// Reads a source, which errors call `path`.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn read(
        path: impl Into<PathBuf>,
        source: impl Read + Send + 'static,
        options: &ReadOptions,
    ) -> Result<Self, DatasetError> {
        let path = path.into();
        Self::collect(Rows::new(&path, source, options)?, path, options)
    }

    fn collect(mut rows: Rows, path: PathBuf, options: &ReadOptions) -> Result<Self, DatasetError> {
        let mut errors = Errors::new(options.skip_bad);
        let read = rows.by_ref().filter_map(|row| errors.keep(row)).collect();
        let mut notes = rows.notes().clone();
        let refused = errors.take_skipped();
        notes.skipped = errors.finish(&path)?;
        Ok(Self {
            path,
            rows: read,
            notes,
            skip_bad: options.skip_bad,
            refused,
        })
    }

    /// Appends the examples of another file.
    pub fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
        self.refused.append(&mut other.refused);
        self.skip_bad |= other.skip_bad;
        self.notes.add(&other.notes);
    }
}
