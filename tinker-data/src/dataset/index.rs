//! Rows of files in any order, without the files in memory.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entries::Entries;
use super::entry::{Entry, SIZE};
use super::error::DatasetError;
use super::errors::Errors;
use super::files::open_file;
use super::format::Reader;
use super::indexed::{Indexed, Version, unbreak};
use super::notes::Notes;
use super::options::ReadOptions;
use super::row::Row;
use super::rows::Rows;
use super::shuffle::Shuffle;
use super::spool;

/// An index of the rows of data files: each row is read from the disk when it is asked for.
///
/// Lines of a file are found by their offset. Of what has no lines to go back to (compressed files, tables, standard
/// input) the rows are copied to a temporary file first. Memory does not grow with the number of rows: their places are in
/// memory up to 256 KiB, and otherwise in a temporary file, with 41 bytes for each row.
///
/// ```
/// use tinker_data::{Index, ReadOptions};
///
/// let mut index = Index::new(ReadOptions::new());
/// index.add_source("-", &b"{\"text\": \"a\"}\n{\"text\": \"b\"}\n"[..])?;
/// let lines: Vec<usize> = index.shuffled(1).map(|row| Ok(row?.line)).collect::<Result<_, tinker_data::DatasetError>>()?;
/// assert_eq!(lines.len(), 2);
/// # Ok::<(), tinker_data::DatasetError>(())
/// ```
#[derive(Debug)]
pub struct Index {
    options: ReadOptions,
    files: Vec<Arc<Indexed>>,
    entries: Entries<SIZE>,
    notes: Notes,
}

/// Rows and bytes that are worked on at once.
const BATCH: (usize, usize) = (4096, 1 << 20);

impl Index {
    /// An index without files.
    pub fn new(options: ReadOptions) -> Self {
        Self {
            options,
            files: Vec::new(),
            entries: Entries::new(None),
            notes: Notes::default(),
        }
    }

    /// Sets the folder of temporary files; by default that of the system. To be called before rows are added.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.entries = Entries::new(Some(&folder.into()));
        self
    }

    /// Adds the rows of the file at `path`, and checks all of them.
    ///
    /// # Errors
    /// A file that cannot be read, or lines that are not examples.
    pub fn add_file(&mut self, path: impl AsRef<Path>) -> Result<(), DatasetError> {
        self.add_file_with(path, |file| file, &mut |_| ())
    }

    /// The same as [`Self::add_file`], with two observers: the file is read through the source that `through` returns, which
    /// has to give the same bytes, and `each` receives the rows.
    ///
    /// # Errors
    /// See [`Self::add_file`].
    pub fn add_file_with<R: Read + Send + 'static>(
        &mut self,
        path: impl AsRef<Path>,
        through: impl FnOnce(File) -> R,
        each: &mut dyn FnMut(&Row),
    ) -> Result<(), DatasetError> {
        let path = path.as_ref();
        let failed = |error: io::Error| spool::failed(path, None, &error);
        let file = open_file(path)?;
        let version = Version::of(&file).map_err(failed)?;
        let source = through(file.try_clone().map_err(failed)?);
        let rows = Rows::new(path, source, &self.options)?;
        if rows.is_plain() {
            self.fill(path, rows, file, Some(version), each)
        } else {
            self.copy(path, rows, each)
        }
    }

    /// Adds the rows of a source, which errors call `path`, and checks all of them.
    ///
    /// # Errors
    /// See [`Self::add_file`].
    pub fn add_source(
        &mut self,
        path: impl AsRef<Path>,
        source: impl Read + Send + 'static,
    ) -> Result<(), DatasetError> {
        self.add_source_with(path, source, &mut |_| ())
    }

    /// The same as [`Self::add_source`]. `each` receives the rows.
    ///
    /// # Errors
    /// See [`Self::add_file`].
    pub fn add_source_with(
        &mut self,
        path: impl AsRef<Path>,
        source: impl Read + Send + 'static,
        each: &mut dyn FnMut(&Row),
    ) -> Result<(), DatasetError> {
        let path = path.as_ref();
        let rows = Rows::new(path, source, &self.options)?;
        self.copy(path, rows, each)
    }

    fn copy(
        &mut self,
        path: &Path,
        rows: Rows,
        each: &mut dyn FnMut(&Row),
    ) -> Result<(), DatasetError> {
        let copy = spool::temporary(self.folder());
        let copy = copy.map_err(|error| self.failed(path, &error))?;
        self.fill(path, rows, copy, None, each)
    }

    /// Adds the rows of a file. Without a `version`, the rows are copied to `file`.
    fn fill(
        &mut self,
        path: &Path,
        mut rows: Rows,
        file: File,
        version: Option<Version>,
        each: &mut dyn FnMut(&Row),
    ) -> Result<(), DatasetError> {
        rows.keep_text();
        let mut errors = Errors::new(self.options.skip_bad);
        let mut copy = BufWriter::new(file);
        let (start, mut end) = (self.len(), 0);
        while let Some(row) = rows.next() {
            let Some(row) = errors.keep(row) else {
                continue;
            };
            each(&row);
            let text = rows.text();
            let offset = if version.is_none() {
                end
            } else {
                rows.offset()
            };
            if version.is_none() {
                let mut line = text.as_bytes().to_vec();
                unbreak(&mut line);
                line.push(b'\n');
                copy.write_all(&line)
                    .map_err(|error| self.failed(path, &error))?;
                end += line.len() as u64;
            }
            let entry = Entry {
                offset,
                line: row.line as u64,
                file: self.files.len() as u32,
                length: text.len() as u32,
                ..Entry::of(&row.example)
            };
            let added = self.entries.push(entry.to_bytes());
            added.map_err(|error| self.failed(path, &error))?;
        }
        let mut notes = rows.notes().clone();
        notes.skipped = errors.finish(path)?;
        self.notes.add(&notes);
        let file = copy.into_inner();
        let file = file.map_err(|error| self.failed(path, error.error()))?;
        self.files.push(Arc::new(Indexed {
            path: path.into(),
            file,
            rows: start..self.entries.len(),
            version,
        }));
        Ok(())
    }

    /// Keeps the rows with these numbers, in this order; one may be there several times.
    ///
    /// # Errors
    /// A temporary file that cannot be written or read.
    ///
    /// # Panics
    /// If a number is not below [`Self::len`].
    pub fn select(&mut self, rows: impl IntoIterator<Item = usize>) -> Result<(), DatasetError> {
        let mut selected = Entries::new(self.folder());
        for at in rows {
            let entry = self.entries.get(at).and_then(|entry| selected.push(entry));
            entry.map_err(|error| self.failed(self.first_path(), &error))?;
        }
        self.entries = selected;
        Ok(())
    }

    /// Numbers of the rows of each file, unless rows were selected.
    pub(super) fn parts(&self) -> Vec<Range<usize>> {
        self.files.iter().map(|file| file.rows.clone()).collect()
    }

    /// Rows from number `start` on that are worked on at once.
    pub(super) fn batch(&self, start: usize) -> Result<Vec<Entry>, DatasetError> {
        let (rows, bytes) = BATCH;
        let mut taken = 0;
        let entries = self.entries.read(start, rows);
        let entries = entries.map_err(|error| self.failed(self.first_path(), &error))?;
        let entries = entries.into_iter().map(Entry::from_bytes);
        let batch = entries.take_while(|entry| {
            let is_in = taken < bytes;
            taken += entry.length as usize;
            is_in
        });
        Ok(batch.collect())
    }

    /// Places of all rows, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = io::Result<Entry>> {
        self.entries
            .iter()
            .map(|entry| entry.map(Entry::from_bytes))
    }

    /// The same files with other rows.
    pub(super) fn with_entries(&self, entries: Entries<SIZE>) -> Self {
        Self {
            options: self.options.clone(),
            files: self.files.clone(),
            entries,
            notes: self.notes.clone(),
        }
    }

    /// Fingerprints of the prompts of all rows, in order, see [`Example::prompt_fingerprint`](super::Example::prompt_fingerprint).
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn prompts(&self) -> impl Iterator<Item = Result<u128, DatasetError>> {
        let entries = self.entries();
        entries.map(|entry| match entry {
            Ok(entry) => Ok(entry.prompt),
            Err(error) => Err(self.failed(self.first_path(), &error)),
        })
    }

    /// Path of the first file.
    pub(super) fn first_path(&self) -> &Path {
        self.paths().next().unwrap_or("".as_ref())
    }

    /// Paths of the files.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|file| &*file.path)
    }

    /// How the rows are read.
    pub fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// Folder of temporary files, unless it is that of the system.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.entries.folder()
    }

    pub(super) fn failed(&self, path: &Path, error: &io::Error) -> DatasetError {
        spool::failed(path, self.folder(), error)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the files were read.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The JSON text of a row, on one line, with all its columns.
    ///
    /// # Errors
    /// A file that cannot be read any more.
    ///
    /// # Panics
    /// If `at` is not below [`Self::len`].
    pub fn text(&self, at: usize) -> Result<String, DatasetError> {
        self.text_of(&self.entry(at)?)
    }

    /// A row.
    ///
    /// # Errors
    /// A file that cannot be read any more, or that was changed.
    ///
    /// # Panics
    /// If `at` is not below [`Self::len`].
    pub fn row(&self, at: usize) -> Result<Row, DatasetError> {
        self.row_of(&self.entry(at)?)
    }

    fn entry(&self, at: usize) -> Result<Entry, DatasetError> {
        let entry = self.entries.get(at);
        let entry = entry.map_err(|error| self.failed(self.first_path(), &error))?;
        Ok(Entry::from_bytes(entry))
    }

    fn text_of(&self, entry: &Entry) -> Result<String, DatasetError> {
        self.files[entry.file as usize].text(entry, self.folder())
    }

    /// The row at a place.
    pub(super) fn row_of(&self, entry: &Entry) -> Result<Row, DatasetError> {
        let indexed = &self.files[entry.file as usize];
        let text = indexed.text(entry, self.folder())?;
        let value = serde_json::from_str(&text).map_err(|_| indexed.changed(entry))?;
        let example = Reader::new(&self.options).read(value, &mut Notes::default());
        Ok(Row {
            path: Arc::clone(&indexed.path),
            line: entry.line as usize,
            example: example.map_err(|_| indexed.changed(entry))?,
        })
    }

    /// All rows, in the order of the files.
    pub fn rows(&self) -> impl Iterator<Item = Result<Row, DatasetError>> {
        (0..self.len()).map(|at| self.row(at))
    }

    /// All rows, in an order that the seed determines.
    pub fn shuffled(&self, seed: u64) -> impl Iterator<Item = Result<Row, DatasetError>> {
        let order = Shuffle::new(self.len(), seed, 0);
        order.iter().map(|at| self.row(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(index: &Index) -> Vec<(usize, String)> {
        let rows =
            (0..index.len()).map(|at| (index.row(at).unwrap().line, index.text(at).unwrap()));
        rows.collect()
    }

    #[test]
    fn rows_are_read_again_from_files_and_copies() {
        let folder = tempfile::tempdir().unwrap();
        let expected: Vec<(usize, String)> = [
            (1, r#"{"text":"é","x":1}"#),
            (3, r#"{"text":"b"}"#),
            (3, r#"{"text":"c"}"#),
        ]
        .map(|(line, text)| (line, text.to_owned()))
        .into();
        let lines =
            "{\"text\":\"é\",\"x\":1}\r\n\n\u{feff}{\"text\":\"b\"} \u{feff}{\"text\":\"c\"}\r\n";
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, lines).unwrap();
        let mut index = Index::new(ReadOptions::new());
        index.add_file(&path).unwrap();
        assert_eq!(texts(&index), expected);
        let mut index = Index::new(ReadOptions::new());
        index.add_source("-", std::io::Cursor::new(lines)).unwrap();
        assert_eq!(texts(&index), expected);
        assert_eq!(index.notes().ignored["x"], 1);

        let list = folder.path().join("x.json");
        std::fs::write(&list, "[\n {\n  \"text\": \"b\"\n }]").unwrap();
        index.add_file(&list).unwrap();
        assert_eq!(texts(&index)[3], (2, r#"{   "text": "b"  }"#.to_owned()));
        let mut lines: Vec<_> = index.shuffled(5).map(|row| row.unwrap().line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 3, 3]);

        std::fs::write(&list, "[]").unwrap();
        assert!(index.row(3).is_err() && index.row(0).is_ok());
    }
}
