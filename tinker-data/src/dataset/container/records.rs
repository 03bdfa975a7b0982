//! Records of data files in any container.

use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use super::array::{Array, Element};
use super::compression::{self, Bytes};
use super::head;
use super::lines::{Line, Lines};
use super::parquet;
use super::position::{LONGEST, Position};
use super::table::Table;
use crate::dataset::error::{ErrorKind, LineError};
use crate::json::Json;

/// Bytes that are read at once.
const BLOCK: usize = 256 << 10;

/// The records of a data file.
pub(in crate::dataset) struct Records {
    container: Container,
    /// Offsets of records are those in the file.
    is_plain: bool,
    is_over: bool,
}

enum Container {
    Lines(Lines<BufReader<Bytes>>),
    Array(Array<BufReader<Bytes>>),
    Table(Box<Table<Bytes>>),
    Parquet(Box<parquet::Rows>),
}

/// A record that was read.
#[derive(Debug)]
pub(in crate::dataset) enum Record {
    /// JSON text, which is in the buffer.
    Text(Position),
    /// The value of a row of a table.
    Value(usize, Json),
}

/// An error of a record, with its line.
type RecordError = (Option<usize>, LineError);

impl Records {
    /// Opens a source: looks at its first bytes, and decompresses it if they tell so.
    pub(in crate::dataset) fn new(name: &Path, bytes: Bytes) -> Result<Self, LineError> {
        let name = name.to_string_lossy();
        let (mut first, mut bytes) = peek(bytes)?;
        let is_compressed = compression::is_compressed(&first);
        if is_compressed {
            bytes = compression::decompressed(&first, bytes)?;
            (first, bytes) = peek(bytes)?;
        } else if [".gz", ".zst"].iter().any(|end| name.ends_with(end)) {
            return Err(LineError::new(
                ErrorKind::File,
                "has a name of a compressed file, and is not compressed",
                "rename it, or write it again if it was cut",
            ));
        }
        if parquet::is_parquet(&first) {
            let rows = parquet::Rows::new(bytes)?;
            return Ok(Self::of(Container::Parquet(Box::new(rows)), false));
        }
        head::refuse_other(&first)?;
        let mark = first.starts_with(b"\xef\xbb\xbf");
        let text = if mark { &first[3..] } else { &first[..] };
        let start = text.trim_ascii_start();
        let container = match start.first() {
            Some(b'[') => Container::Array(Array::new(BufReader::with_capacity(
                BLOCK,
                skip(bytes, mark)?,
            ))),
            Some(b'{') => {
                head::refuse_pretty(text)?;
                Container::Lines(Lines::new(BufReader::with_capacity(BLOCK, bytes)))
            }
            _ => match head::delimiter(&name, text) {
                Some(delimiter) => Container::Table(Box::new(Table::new(
                    skip(bytes, mark)?,
                    delimiter,
                    head::has_returns(text),
                )?)),
                None => Container::Lines(Lines::new(BufReader::with_capacity(BLOCK, bytes))),
            },
        };
        let has_offsets = match container {
            Container::Lines(_) => true,
            Container::Array(_) => !mark,
            Container::Table(_) | Container::Parquet(_) => false,
        };
        Ok(Self::of(container, has_offsets && !is_compressed))
    }

    fn of(container: Container, is_plain: bool) -> Self {
        Self {
            container,
            is_plain,
            is_over: false,
        }
    }

    /// Whether the offsets of records are those in the file.
    pub(in crate::dataset) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Reads the next record. JSON text is put into `buffer`.
    pub(in crate::dataset) fn read(
        &mut self,
        buffer: &mut Vec<u8>,
    ) -> Option<Result<Record, RecordError>> {
        if self.is_over {
            return None;
        }
        let record = match &mut self.container {
            Container::Lines(lines) => match lines.read(buffer) {
                Ok(None) => return None,
                Ok(Some(Line::Whole(at))) => Ok(Record::Text(at)),
                Ok(Some(Line::TooLong(at))) => Err((Some(at.line), too_long())),
                Err(error) => {
                    self.is_over = true;
                    Err((None, unreadable(&error)))
                }
            },
            Container::Array(array) => match array.read(buffer) {
                Ok(Element::End) => return None,
                Ok(Element::Whole(at)) => Ok(Record::Text(at)),
                Ok(Element::TooLong(at)) => Err((Some(at.line), too_long())),
                Ok(Element::Broken(at, expected)) => {
                    self.is_over = true;
                    let reason = format!("is not a list in JSON: expected {expected}");
                    let fix = "correct the list, or write one object per line";
                    let error = LineError::new(ErrorKind::Syntax, reason, fix);
                    Err((Some(at.line), error.at_column(Some(at.column))))
                }
                Err(error) => {
                    self.is_over = true;
                    Err((None, unreadable(&error)))
                }
            },
            Container::Table(table) => {
                let (line, row) = table.read()?;
                row.map(|row| Record::Value(line, row))
                    .map_err(|error| (Some(line), error))
            }
            Container::Parquet(rows) => {
                let (line, row) = rows.next()?;
                row.map(|row| Record::Value(line, row))
                    .map_err(|error| (Some(line), error))
            }
        };
        Some(record)
    }

    /// Stops at an array that holds something that is not JSON: brackets do not tell where its next element is.
    pub(in crate::dataset) fn stop_if_array(&mut self) {
        self.is_over |= matches!(self.container, Container::Array(_));
    }
}

/// The first bytes of a source, and all of it.
fn peek(mut bytes: Bytes) -> Result<(Vec<u8>, Bytes), LineError> {
    let mut first = Vec::new();
    let head = bytes
        .by_ref()
        .take(head::LENGTH as u64)
        .read_to_end(&mut first);
    head.map_err(|error| unreadable(&error))?;
    let all = Box::new(Cursor::new(first.clone()).chain(bytes));
    Ok((first, all))
}

/// Skips a byte order mark.
fn skip(mut bytes: Bytes, mark: bool) -> Result<Bytes, LineError> {
    if mark {
        bytes
            .read_exact(&mut [0; 3])
            .map_err(|error| unreadable(&error))?;
    }
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> LineError {
    let reason = format!("cannot be read: {error}");
    let fix = match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            "the compressed file is cut or damaged; write it again"
        }
        _ => "check the disk and the permissions",
    };
    LineError::new(ErrorKind::File, reason, fix)
}

fn too_long() -> LineError {
    LineError::new(
        ErrorKind::Length,
        format!("has more than {} MiB", LONGEST >> 20),
        "shorten the row, or split it",
    )
}
