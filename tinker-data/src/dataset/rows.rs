//! The rows of a data file, one at a time.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::container::{Position, Record, Records};
use super::error::{DatasetError, ErrorKind, LineError};
use super::example::Example;
use super::files::open_file;
use super::format::Reader;
use super::notes::Notes;
use super::options::ReadOptions;
use super::parse;
use super::place;
use super::row::Row;
use crate::json::Json;

/// The mark at the start of files by some programs, and within files that were joined.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The rows of a data file, one at a time: the memory does not grow with the file.
///
/// The container is detected from the first bytes: JSON Lines, one JSON array, comma-separated or tab-separated values
/// with a header, Parquet (feature `parquet`), each also compressed with gzip or zstd. The format of a row is that of its
/// keys, unless [`ReadOptions::format`] names one.
///
/// ```
/// use tinker_data::{Example, ReadOptions, Rows};
///
/// let csv = "question,answer,id\nHow many?,\"Two, or three.\",7\n";
/// let mut rows = Rows::new("faq.csv", csv.as_bytes(), &ReadOptions::new())?;
/// let row = rows.next().ok_or("a row")??;
/// assert!(matches!(row.example, Example::Chat(_)));
/// assert!(rows.next().is_none());
/// assert_eq!(rows.notes().ignored["id"], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rows {
    path: Arc<Path>,
    records: Records,
    reader: Reader,
    notes: Notes,
    /// Text of the record.
    buffer: Vec<u8>,
    /// Part of the buffer that is the record, and its offset in the file.
    record: Range<usize>,
    offset: u64,
    length: usize,
    /// [`ReadOptions::skip_bad`], for the collector of the errors.
    skip_bad: bool,
    /// Keep the text of rows of tables, too.
    keep_text: bool,
    /// The rest of a line that holds several records, because files were joined.
    rest: Option<(Vec<u8>, Position)>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Rows {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// A file that cannot be opened, is empty or is of a kind that is not read, and folders, FIFOs and devices.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        Self::new(path, open_file(path)?, options)
    }

    /// Reads from a source, which errors call `path`.
    ///
    /// # Errors
    /// A source that is empty or of a kind that is not read.
    pub fn new(
        path: impl AsRef<Path>,
        source: impl Read + Send + 'static,
        options: &ReadOptions,
    ) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let records = Records::new(path, Box::new(source));
        Ok(Self {
            path: path.into(),
            records: records.map_err(|error| DatasetError::of(path, error))?,
            reader: Reader::new(options),
            notes: Notes::default(),
            buffer: Vec::new(),
            record: 0..0,
            offset: 0,
            length: 0,
            skip_bad: options.skip_bad,
            keep_text: false,
            rest: None,
        })
    }

    /// Path of the file, or the name of the source.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the rows up to here were read: formats, ignored columns and conversions.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Whether rows with errors are left out.
    pub(super) fn skips_bad(&self) -> bool {
        self.skip_bad
    }

    /// Whether [`Self::offset`] is an offset in the file.
    pub(super) fn is_plain(&self) -> bool {
        self.records.is_plain()
    }

    /// Approximate bytes of the last row.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Keeps the JSON text of each row for [`Self::text`].
    pub(super) fn keep_text(&mut self) {
        self.keep_text = true;
    }

    /// JSON text of the last row.
    pub(super) fn text(&self) -> &str {
        let text = self.buffer.get(self.record.clone());
        text.and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }

    /// Offset of the last row in the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    fn value(&mut self, line: usize, value: Json) -> Result<(usize, Example), LineError> {
        self.length = value.text_length();
        if self.keep_text {
            self.buffer = value.to_string().into_bytes();
            self.record = 0..self.buffer.len();
        }
        let example = self.reader.read(value, &mut self.notes).map_err(|error| {
            LineError::new(error.kind, error.reason(), error.fix).at_line(&self.path, line)
        });
        example.map(|example| (line, example))
    }

    /// The example of a record's text; `None` if it is blank.
    fn example(&mut self, bytes: &[u8], at: Position) -> Option<Result<Example, LineError>> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Some(Err(self.not_utf8(bytes, error.valid_up_to(), at))),
        };
        let stripped = text.trim_start_matches(BYTE_ORDER_MARK);
        if stripped.trim_ascii().is_empty() {
            return None;
        }
        let start = text.len() - stripped.len();
        self.offset = at.offset + start as u64;
        let at = Position {
            offset: self.offset,
            ..at
        };
        let text = self.first(stripped, at);
        self.record = start..start + text.len();
        self.length = text.len();
        let place = |offset: usize, error: LineError| {
            let (line, column) = at.of(text, offset);
            error.at_line(&self.path, line).at_column(Some(column))
        };
        let value = match parse::parse(text) {
            Ok(value) => value,
            Err((offset, error)) => {
                if error.kind() != ErrorKind::RepeatedKey {
                    self.records.stop_if_array();
                }
                return Some(Err(place(offset, error)));
            }
        };
        let example = self.reader.read(value, &mut self.notes);
        Some(example.map_err(|error| {
            let (line, column) = at.of(text, error.offset(text));
            LineError::new(error.kind, error.reason(), error.fix)
                .at_line(&self.path, line)
                .at_column(Some(column))
        }))
    }

    /// The first record of a line. A byte order mark after it, where files were joined, begins another.
    fn first<'a>(&mut self, text: &'a str, at: Position) -> &'a str {
        if !text.contains(BYTE_ORDER_MARK) {
            return text;
        }
        let mut values =
            serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
        if !matches!(values.next(), Some(Ok(_))) {
            return text;
        }
        let (first, after) = text.split_at(values.byte_offset());
        let rest = after.trim_ascii_start();
        if rest.starts_with(BYTE_ORDER_MARK) {
            let skipped = text.len() - rest.len();
            let at = Position {
                column: at.column + place::column(text, skipped) - 1,
                offset: at.offset + skipped as u64,
                ..at
            };
            self.rest = Some((rest.as_bytes().to_vec(), at));
            return first;
        }
        text
    }

    fn not_utf8(&mut self, bytes: &[u8], at: usize, start: Position) -> LineError {
        let before = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
        let (line, column) = start.of(before, at);
        let byte = bytes.get(at).copied().unwrap_or_default();
        LineError::new(
            ErrorKind::Encoding,
            format!("is not UTF-8 text: byte 0x{byte:02x}"),
            "save the file as UTF-8; `iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW` converts Latin-1 and Windows texts",
        )
        .at_line(&self.path, line)
        .at_column(Some(column))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = match self.rest.take() {
                Some((rest, at)) => {
                    self.buffer = rest;
                    Ok(Record::Text(at))
                }
                None => self.records.read(&mut self.buffer)?,
            };
            let example = match record {
                Ok(Record::Text(at)) => {
                    let buffer = std::mem::take(&mut self.buffer);
                    let example = self.example(&buffer, at);
                    self.buffer = buffer;
                    let Some(example) = example else { continue };
                    example.map(|example| (at.line, example))
                }
                Ok(Record::Value(line, value)) => self.value(line, value),
                Err((Some(line), error)) => Err(error.at_line(&self.path, line)),
                Err((None, error)) => Err(error.at_file(&self.path)),
            };
            return Some(example.map(|(line, example)| Row {
                path: Arc::clone(&self.path),
                line,
                example,
            }));
        }
    }
}
