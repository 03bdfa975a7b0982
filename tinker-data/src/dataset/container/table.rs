//! Rows of a table: comma-separated or tab-separated values with a header.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::position::LONGEST;
use crate::dataset::error::{ErrorKind, LineError};
use crate::json::Json;

/// The rows of a table as objects of texts.
pub(super) struct Table<R> {
    reader: csv::Reader<Bounded<R>>,
    header: Vec<String>,
    read: Arc<AtomicUsize>,
    record: csv::ByteRecord,
    /// Lines end in `\r\n`. The parser counts a line at its `\n`, which it reads with the next record.
    has_returns: bool,
    is_over: bool,
}

impl<R: Read> Table<R> {
    /// Reads the header.
    pub(super) fn new(text: R, delimiter: u8, has_returns: bool) -> Result<Self, LineError> {
        let read = Arc::new(AtomicUsize::new(0));
        let text = Bounded {
            text,
            read: Arc::clone(&read),
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .from_reader(text);
        let header = reader.byte_headers().map_err(|error| fault(&error).0)?;
        let names = header
            .iter()
            .map(|name| std::str::from_utf8(name).map(str::to_owned));
        let header: Vec<String> = names.collect::<Result<_, _>>().map_err(|_| {
            LineError::new(
                ErrorKind::Encoding,
                "has a header that is not UTF-8 text",
                "save the file as UTF-8",
            )
        })?;
        for (index, name) in header.iter().enumerate() {
            if header[..index].contains(name) {
                return Err(LineError::new(
                    ErrorKind::RepeatedKey,
                    format!("has the column {name:?} twice"),
                    "keep one of them",
                ));
            }
        }
        Ok(Self {
            reader,
            header,
            read,
            record: csv::ByteRecord::new(),
            has_returns,
            is_over: false,
        })
    }

    /// The next row and its line.
    pub(super) fn read(&mut self) -> Option<(usize, Result<Json, LineError>)> {
        if self.is_over {
            return None;
        }
        self.read.store(0, Ordering::Relaxed);
        let line_of =
            |position: &csv::Position| position.line() as usize + usize::from(self.has_returns);
        let line = line_of(self.reader.position());
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => Some((self.record.position().map_or(line, line_of), self.row())),
            Err(error) => {
                let (fault, is_last) = fault(&error);
                let line = error.position().map_or(line, line_of);
                self.is_over = is_last;
                Some((line, Err(fault)))
            }
        }
    }

    fn row(&self) -> Result<Json, LineError> {
        let cells = self.header.iter().zip(&self.record);
        let members = cells.map(|(name, cell)| {
            let text = std::str::from_utf8(cell).map_err(|_| {
                LineError::new(
                    ErrorKind::Encoding,
                    format!("has text in {name:?} that is not UTF-8"),
                    "save the file as UTF-8; `iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW` converts a file of Windows",
                )
            })?;
            if text.contains('\0') {
                return Err(LineError::new(
                    ErrorKind::Encoding,
                    format!("has a NUL character in {name:?}"),
                    "the file is damaged or not UTF-8; write it again",
                ));
            }
            Ok((name.clone(), Json::from(text)))
        });
        Ok(Json::Object(members.collect::<Result<_, _>>()?))
    }
}

/// The error of a row, and whether nothing can be read after it.
fn fault(error: &csv::Error) -> (LineError, bool) {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            let reason = format!("has {len} cells, and the header {expected_len}");
            let fix =
                "quote cells that hold separators, line breaks or quotes; double the quotes inside";
            (LineError::new(ErrorKind::Syntax, reason, fix), false)
        }
        csv::ErrorKind::Io(error) if is_too_long(error) => {
            let reason = format!("has more than {} MiB in one row", LONGEST >> 20);
            let fix = "close the quote that was opened here, or shorten the row";
            (LineError::new(ErrorKind::Length, reason, fix), true)
        }
        _ => {
            let reason = format!("cannot be read: {error}");
            (
                LineError::new(ErrorKind::File, reason, "write the file again"),
                true,
            )
        }
    }
}

fn is_too_long(error: &io::Error) -> bool {
    let cause = error.get_ref().map(|inner| inner as &dyn std::error::Error);
    cause.is_some_and(<dyn std::error::Error>::is::<TooLong>)
}

/// A text of which one row may take only so much.
struct Bounded<R> {
    text: R,
    /// Bytes read since the row before.
    read: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct TooLong;

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the row is too long")
    }
}

impl std::error::Error for TooLong {}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read.load(Ordering::Relaxed) > LONGEST {
            return Err(io::Error::other(TooLong));
        }
        let count = self.text.read(buffer)?;
        self.read.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }
}
