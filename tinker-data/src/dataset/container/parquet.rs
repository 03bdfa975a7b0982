//! Rows of Parquet files.

use super::compression::Bytes;
use crate::dataset::error::{ErrorKind, LineError};
use crate::json::Json;

/// Whether a file that begins like this is a Parquet file.
pub(super) fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(b"PAR1")
}

#[cfg(feature = "parquet")]
pub(super) use present::Rows;

#[cfg(feature = "parquet")]
mod present {
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::reader::{ReaderIter, TreeBuilder};
    use parquet::record::{Field, Row};

    use super::{Bytes, ErrorKind, Json, LineError};
    use crate::dataset::spool;

    /// The rows of a file, as objects.
    pub(in super::super) struct Rows {
        file: SerializedFileReader<std::fs::File>,
        /// Number of the next row group.
        group: usize,
        in_hand: Option<ReaderIter>,
        row: usize,
    }

    impl Rows {
        /// Reads the footer. A source that cannot seek is copied to a temporary file.
        pub(in super::super) fn new(mut bytes: Bytes) -> Result<Self, LineError> {
            let mut file = spool::temporary(None).map_err(|error| unreadable(&error))?;
            io::copy(&mut bytes, &mut file).map_err(|error| unreadable(&error))?;
            let file = guarded(|| SerializedFileReader::new(file))?;
            Ok(Self {
                file,
                group: 0,
                in_hand: None,
                row: 0,
            })
        }

        /// The next row and its number.
        pub(in super::super) fn next(&mut self) -> Option<(usize, Result<Json, LineError>)> {
            loop {
                if let Some(rows) = &mut self.in_hand {
                    match guarded(|| rows.next().transpose()) {
                        Ok(Some(row)) => {
                            self.row += 1;
                            return Some((self.row, object(row)));
                        }
                        Ok(None) => self.in_hand = None,
                        Err(error) => return Some(self.end(error)),
                    }
                }
                if self.group >= self.file.num_row_groups() {
                    return None;
                }
                let group = guarded(|| {
                    let group = self.file.get_row_group(self.group)?;
                    let columns = self.file.metadata().file_metadata().schema_descr_ptr();
                    TreeBuilder::new().as_iter(columns, &*group)
                });
                self.group += 1;
                match group {
                    Ok(rows) => self.in_hand = Some(rows),
                    Err(error) => return Some(self.end(error)),
                }
            }
        }

        fn end(&mut self, error: LineError) -> (usize, Result<Json, LineError>) {
            self.in_hand = None;
            self.group = usize::MAX;
            (self.row + 1, Err(error))
        }
    }

    /// Reads a part of a file. The library panics on some damaged files.
    fn guarded<T>(
        read: impl FnOnce() -> Result<T, parquet::errors::ParquetError>,
    ) -> Result<T, LineError> {
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(read) => read.map_err(|error| unreadable(&error)),
            Err(_) => Err(unreadable(&io::Error::other("the data are damaged"))),
        }
    }

    fn object(row: Row) -> Result<Json, LineError> {
        let columns = row.into_columns().into_iter();
        let members = columns.map(|(name, field)| Ok((name, value(field)?)));
        Ok(Json::Object(members.collect::<Result<_, LineError>>()?))
    }

    fn value(field: Field) -> Result<Json, LineError> {
        Ok(match field {
            Field::Null => Json::Null,
            Field::Bool(flag) => Json::Bool(flag),
            Field::Byte(number) => Json::Number(number.into()),
            Field::Short(number) => Json::Number(number.into()),
            Field::Int(number) => Json::Number(number.into()),
            Field::Long(number) => Json::Number(number.into()),
            Field::UByte(number) => Json::Number(number.into()),
            Field::UShort(number) => Json::Number(number.into()),
            Field::UInt(number) => Json::Number(number.into()),
            Field::ULong(number) => Json::Number(number.into()),
            Field::Float(number) => float(f64::from(number)),
            Field::Double(number) => float(number),
            Field::Str(text) => Json::String(text),
            Field::Group(row) => object(row)?,
            Field::ListInternal(list) => {
                let elements = list.elements().iter().cloned().map(value);
                Json::Array(elements.collect::<Result<_, _>>()?)
            }
            Field::MapInternal(map) => {
                let mut members = Vec::new();
                for (key, member) in map.entries() {
                    let Field::Str(key) = key else {
                        return Err(LineError::new(
                            ErrorKind::Unsupported,
                            "has a map whose keys are not texts",
                            "remove the column",
                        ));
                    };
                    members.push((key.clone(), value(member.clone())?));
                }
                Json::Object(members)
            }
            // Bytes are never text: an object is refused wherever a text is expected.
            Field::Bytes(bytes) => {
                Json::Object(vec![("bytes".to_owned(), Json::Number(bytes.len().into()))])
            }
            other => Json::String(other.to_string()),
        })
    }

    /// A number; what is not finite has no form in JSON.
    fn float(number: f64) -> Json {
        serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)
    }

    fn unreadable(error: &dyn std::error::Error) -> LineError {
        let reason = format!("is not a valid Parquet file: {error}");
        LineError::new(ErrorKind::File, reason, "write the file again")
    }
}

#[cfg(not(feature = "parquet"))]
pub(super) enum Rows {}

#[cfg(not(feature = "parquet"))]
impl Rows {
    pub(super) fn new(_: Bytes) -> Result<Self, LineError> {
        Err(LineError::new(
            ErrorKind::File,
            "is a Parquet file, and this build reads none",
            "build with the feature `parquet`, or save the file as JSON Lines: `duckdb -c \"copy (from 'FILE') to 'NEW.jsonl'\"`",
        ))
    }

    pub(super) fn next(&mut self) -> Option<(usize, Result<Json, LineError>)> {
        match *self {}
    }
}
