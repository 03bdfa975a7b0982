//! A file whose rows are read by their places.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::entry::Entry;
use super::error::{DatasetError, ErrorKind, LineError};
use super::spool;

/// A file with rows.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) path: Arc<Path>,
    /// The file itself, or a copy of its rows.
    pub(super) file: File,
    /// Number of its first row, and of the one behind its last.
    pub(super) rows: Range<usize>,
    /// State of the file before it was read; a copy has none.
    pub(super) version: Option<Version>,
}

/// Length and time of a file, by which a change is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version(u64, Option<SystemTime>);

impl Version {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self(metadata.len(), metadata.modified().ok()))
    }
}

impl Indexed {
    /// The text of a row, on one line.
    pub(super) fn text(
        &self,
        entry: &Entry,
        folder: Option<&Path>,
    ) -> Result<String, DatasetError> {
        if let Some(was) = self.version
            && Version::of(&self.file).ok() != Some(was)
        {
            return Err(self.changed(entry));
        }
        let mut bytes = vec![0; entry.length as usize];
        let read = spool::read_at(&self.file, &mut bytes, entry.offset);
        read.map_err(|error| spool::failed(&self.path, folder, &error))?;
        unbreak(&mut bytes);
        String::from_utf8(bytes).map_err(|_| self.changed(entry))
    }

    /// The error of a file that does not hold the row any more.
    pub(super) fn changed(&self, entry: &Entry) -> DatasetError {
        let error = LineError::new(
            ErrorKind::File,
            "was changed while it was read",
            "start again",
        );
        let error = error.at_line(&self.path, entry.line as usize);
        DatasetError::of(&self.path, error)
    }
}

/// Line breaks in JSON are blanks between values, so that a blank takes their place.
pub(super) fn unbreak(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}
