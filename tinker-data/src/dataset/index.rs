//! Rows of files in any order, without the files in memory.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::container;
use super::error::{DatasetError, ErrorKind, LineError};
use super::errors::Errors;
use super::format::Reader;
use super::notes::Notes;
use super::options::ReadOptions;
use super::row::Row;
use super::rows::Rows;
use super::spool;

/// An index of the rows of data files: each row is read from the disk when it is asked for.
///
/// Lines of a file are found by their offset. Of what has no lines to go back to (compressed files, tables, standard
/// input) the rows are copied to a temporary file first. Memory: 32 bytes for each row.
///
/// ```
/// use tinker_data::{Index, ReadOptions};
///
/// let mut index = Index::new(ReadOptions::new());
/// index.add("-", &b"{\"text\": \"a\"}\n{\"text\": \"b\"}\n"[..])?;
/// let lines: Vec<usize> = index.shuffled(1).map(|row| Ok(row?.line)).collect::<Result<_, tinker_data::DatasetError>>()?;
/// assert_eq!(lines.len(), 2);
/// # Ok::<(), tinker_data::DatasetError>(())
/// ```
#[derive(Debug)]
pub struct Index {
    options: ReadOptions,
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
}

/// Place of a row.
#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    line: u64,
    file: u32,
    length: u32,
}

impl Index {
    /// An index without files.
    pub fn new(options: ReadOptions) -> Self {
        Self {
            options,
            files: Vec::new(),
            entries: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// Adds the rows of the file at `path`, and checks all of them.
    ///
    /// # Errors
    /// A file that cannot be read, or lines that are not examples.
    pub fn open(&mut self, path: impl AsRef<Path>) -> Result<(), DatasetError> {
        let path = path.as_ref();
        let file = container::open(path).map_err(|error| DatasetError::of(path, error))?;
        let again = file.try_clone().map_err(|error| failed(path, &error))?;
        let rows = Rows::new(path, again, &self.options)?;
        if rows.is_plain() {
            return self.fill(path, rows, file, false);
        }
        let copy = spool::temporary().map_err(|error| failed(path, &error))?;
        self.fill(path, rows, copy, true)
    }

    /// Adds the rows of a source, which errors call `path`, and checks all of them.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn add(
        &mut self,
        path: impl AsRef<Path>,
        source: impl Read + Send + 'static,
    ) -> Result<(), DatasetError> {
        let path = path.as_ref();
        let rows = Rows::new(path, source, &self.options)?;
        let copy = spool::temporary().map_err(|error| failed(path, &error))?;
        self.fill(path, rows, copy, true)
    }

    fn fill(
        &mut self,
        path: &Path,
        mut rows: Rows,
        file: File,
        is_copy: bool,
    ) -> Result<(), DatasetError> {
        rows.keep_text();
        let mut errors = Errors::new(self.options.skip_bad);
        let mut copy = BufWriter::new(file);
        let mut end = 0;
        while let Some(row) = rows.next() {
            let Some(row) = errors.keep(row) else {
                continue;
            };
            let text = rows.text();
            let offset = if is_copy { end } else { rows.offset() };
            if is_copy {
                // Line breaks in JSON are blanks between values, so that a blank takes their place.
                let line: Vec<u8> = text
                    .bytes()
                    .map(|byte| {
                        if matches!(byte, b'\n' | b'\r') {
                            b' '
                        } else {
                            byte
                        }
                    })
                    .collect();
                let written = copy.write_all(&line).and_then(|()| copy.write_all(b"\n"));
                written.map_err(|error| failed(path, &error))?;
                end += line.len() as u64 + 1;
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
        let file = copy
            .into_inner()
            .map_err(|error| failed(path, error.error()))?;
        self.files.push(Indexed {
            path: path.into(),
            file: Mutex::new(file),
        });
        Ok(())
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
            file.seek(SeekFrom::Start(entry.offset))
                .and_then(|_| file.read_exact(&mut bytes))
        };
        read.map_err(|error| failed(&indexed.path, &error))?;
        for byte in &mut bytes {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
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
        let example = Reader::new(self.options.format).read(value, &mut Notes::default());
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

fn failed(path: &Path, error: &io::Error) -> DatasetError {
    let reason = format!(
        "cannot be read, or copied to {}: {error}",
        std::env::temp_dir().display()
    );
    let fix = "check the disk; TMPDIR names another folder for copies";
    DatasetError::of(path, LineError::new(ErrorKind::File, reason, fix))
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
        index.open(&path).unwrap();
        assert_eq!(texts(&index), expected);
        let mut index = Index::new(ReadOptions::new());
        index.add("-", std::io::Cursor::new(lines)).unwrap();
        assert_eq!(texts(&index), expected);
        assert_eq!(index.notes().ignored["x"], 1);

        let list = folder.path().join("x.json");
        std::fs::write(&list, "[\n {\n  \"text\": \"b\"\n }]").unwrap();
        index.open(&list).unwrap();
        assert_eq!(texts(&index)[3], (2, r#"{   "text": "b"  }"#.to_owned()));
        let mut lines: Vec<_> = index.shuffled(5).map(|row| row.unwrap().line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 3, 3]);

        std::fs::write(&list, "[]").unwrap();
        assert!(index.row(3).is_err() && index.row(0).is_ok());
    }
}
