//! Rows of files in any order, without the files in memory.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::error::{DatasetError, ErrorKind, LineError};
use super::errors::Errors;
use super::files::open_file;
use super::format::Reader;
use super::notes::Notes;
use super::options::ReadOptions;
use super::row::Row;
use super::rows::Rows;
use super::spool;

/// An index of the rows of data files: each row is read from the disk when it is asked for.
///
/// Lines of a file are found by their offset. Of what has no lines to go back to (compressed files, tables, standard
/// input) the rows are copied to a temporary file first. Memory: 24 bytes for each row.
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
    folder: Option<PathBuf>,
    files: Vec<Indexed>,
    entries: Vec<Entry>,
    notes: Notes,
}

/// A file with rows.
#[derive(Debug)]
struct Indexed {
    path: Arc<Path>,
    /// The file itself, or a copy of its rows.
    file: Mutex<File>,
    /// Length and time of the file before it was read; a copy has none.
    version: Option<(u64, Option<SystemTime>)>,
}

/// Place of a row.
#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    line: u64,
    file: u32,
    length: u32,
}

/// Rows and bytes that are worked on at once.
const BATCH: (usize, usize) = (4096, 1 << 20);

impl Index {
    /// An index without files.
    pub fn new(options: ReadOptions) -> Self {
        Self {
            options,
            folder: None,
            files: Vec::new(),
            entries: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// Sets the folder of temporary files; by default that of the system.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
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
        let version = version(&file).map_err(failed)?;
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
        version: Option<(u64, Option<SystemTime>)>,
        each: &mut dyn FnMut(&Row),
    ) -> Result<(), DatasetError> {
        rows.keep_text();
        let mut errors = Errors::new(self.options.skip_bad);
        let mut copy = BufWriter::new(file);
        let mut end = 0;
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
            self.entries.push(Entry {
                offset,
                line: row.line as u64,
                file: self.files.len() as u32,
                length: text.len() as u32,
            });
        }
        let mut notes = rows.notes().clone();
        notes.skipped = errors.finish(path)?;
        self.notes.add(&notes);
        let file = copy.into_inner();
        let file = file.map_err(|error| self.failed(path, error.error()))?;
        self.files.push(Indexed {
            path: path.into(),
            file: Mutex::new(file),
            version,
        });
        Ok(())
    }

    /// Keeps the rows with these numbers, in this order; one may be there several times.
    ///
    /// # Panics
    /// If a number is not below [`Self::len`].
    pub fn select(&mut self, rows: &[usize]) {
        self.entries = rows.iter().map(|at| self.entries[*at]).collect();
    }

    /// Numbers of the rows of each file, unless rows were selected.
    pub(super) fn parts(&self) -> Vec<Range<usize>> {
        let file = |entry: &Entry| entry.file as usize;
        let start = |at| self.entries.partition_point(|entry| file(entry) < at);
        let files = 0..self.files.len();
        files.map(|at| start(at)..start(at + 1)).collect()
    }

    /// Numbers of rows from `start` on that are worked on at once.
    pub(super) fn batch(&self, start: usize) -> Vec<usize> {
        let (rows, bytes) = BATCH;
        let mut taken = 0;
        let entries = self.entries.iter().enumerate().skip(start).take(rows);
        let batch = entries.take_while(|(_, entry)| {
            let is_in = taken < bytes;
            taken += entry.length as usize;
            is_in
        });
        batch.map(|(at, _)| at).collect()
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
        self.folder.as_deref()
    }

    fn failed(&self, path: &Path, error: &io::Error) -> DatasetError {
        spool::failed(path, self.folder(), error)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
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
        let entry = self.entries[at];
        let indexed = &self.files[entry.file as usize];
        let mut bytes = vec![0; entry.length as usize];
        let read = {
            let mut file = indexed.file.lock().unwrap_or_else(PoisonError::into_inner);
            let is_same = |was| version(&file).map(|is| is == was);
            if !indexed.version.map_or(Ok(true), is_same).unwrap_or(false) {
                return Err(changed(indexed, entry));
            }
            file.seek(SeekFrom::Start(entry.offset))
                .and_then(|_| file.read_exact(&mut bytes))
        };
        read.map_err(|error| self.failed(&indexed.path, &error))?;
        unbreak(&mut bytes);
        String::from_utf8(bytes).map_err(|_| changed(indexed, entry))
    }

    /// A row.
    ///
    /// # Errors
    /// A file that cannot be read any more, or that was changed.
    ///
    /// # Panics
    /// If `at` is not below [`Self::len`].
    pub fn row(&self, at: usize) -> Result<Row, DatasetError> {
        let entry = self.entries[at];
        let indexed = &self.files[entry.file as usize];
        let value = serde_json::from_str(&self.text(at)?).map_err(|_| changed(indexed, entry))?;
        let example = Reader::new(&self.options).read(value, &mut Notes::default());
        Ok(Row {
            path: Arc::clone(&indexed.path),
            line: entry.line as usize,
            example: example.map_err(|_| changed(indexed, entry))?,
        })
    }

    /// All rows, in the order of the files.
    pub fn rows(&self) -> impl Iterator<Item = Result<Row, DatasetError>> {
        (0..self.len()).map(|at| self.row(at))
    }

    /// All rows, in an order that the seed determines.
    pub fn shuffled(&self, seed: u64) -> impl Iterator<Item = Result<Row, DatasetError>> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        order.into_iter().map(|at| self.row(at as usize))
    }
}

/// Line breaks in JSON are blanks between values, so that a blank takes their place.
fn unbreak(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Length and time of a file, by which a change is noticed.
fn version(file: &File) -> io::Result<(u64, Option<SystemTime>)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}

fn changed(indexed: &Indexed, entry: Entry) -> DatasetError {
    let error = LineError::new(
        ErrorKind::File,
        "was changed while it was read",
        "start again",
    );
    DatasetError::of(
        &indexed.path,
        error.at_line(&indexed.path, entry.line as usize),
    )
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
