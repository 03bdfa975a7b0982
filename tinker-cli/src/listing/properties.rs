//! All values of one object, a line each.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::cell::Cell;
use super::column::Row;
use crate::clock;
use crate::format::one_line;
use crate::report::Printable;
use crate::style::{FAINT, TerminalStyle, paint};

/// One object with all its values.
#[derive(Debug)]
pub(crate) struct Properties<T>(pub(crate) T);

impl<T: Serialize> Serialize for Properties<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: Row> Printable for Properties<T> {
    fn to_text(&self, style: TerminalStyle) -> String {
        let now = clock::moment();
        let mut rows: Vec<(String, String)> = Vec::new();
        for column in T::COLUMNS {
            let cell = (column.get)(&self.0);
            rows.push((column.name.to_owned(), value(&cell, now)));
        }
        for (key, value) in self.0.metadata().into_iter().flatten() {
            rows.push((format!("meta.{key}"), value.clone()));
        }
        let widest = rows.iter().map(|(name, _)| name.chars().count()).max();
        let widest = widest.unwrap_or_default();
        let mut text = String::new();
        for (name, value) in rows {
            let value = one_line(&value, usize::MAX, style.unicode);
            let name = format!("{name:widest$}");
            text += &format!("{}  {value}\n", paint(FAINT, name));
        }
        text
    }
}

/// The whole value: times and sizes exactly, too.
fn value(cell: &Cell, now: Timestamp) -> String {
    let short = cell.to_text(now);
    match cell {
        Cell::Time(time) => {
            let exact = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            if exact.starts_with(&short) {
                exact
            } else {
                format!("{exact} ({short})")
            }
        }
        Cell::Bytes(bytes) => format!("{short} ({} bytes)", crate::format::number(*bytes)),
        _ => short,
    }
}
