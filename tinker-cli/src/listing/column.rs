//! Columns of a list.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cell::{Cell, Kind};
use crate::exit::Usage;

/// Prefix of columns that show one entry of the user's metadata.
const METADATA: &str = "meta.";

/// A named value of each row.
#[derive(Debug)]
pub(crate) struct Column<T> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) get: fn(&T) -> Cell,
}

/// An object that lists show. `--json` prints its serialised form.
pub(crate) trait Row: Serialize + Sized + 'static {
    /// One of them, for messages.
    const NOUN: &'static str;
    /// All columns.
    const COLUMNS: &'static [Column<Self>];
    /// Columns of the table if none are chosen. The first one identifies the row and is never shortened.
    const DEFAULT: &'static [&'static str];

    /// Entries by the user, for the columns `meta.KEY`.
    fn metadata(&self) -> Option<&BTreeMap<String, String>> {
        None
    }
}

/// A column as a user names it.
#[derive(Debug)]
pub(super) enum Chosen<T: 'static> {
    Known(&'static Column<T>),
    Metadata(String),
}

impl<T: Row> Chosen<T> {
    /// The column with a name.
    pub(super) fn find(option: &str, name: &str) -> Result<Self, Usage> {
        if let Some(column) = T::COLUMNS.iter().find(|column| column.name == name) {
            return Ok(Self::Known(column));
        }
        if let Some(key) = name.strip_prefix(METADATA).filter(|key| !key.is_empty()) {
            return Ok(Self::Metadata(key.to_owned()));
        }
        let names: Vec<&str> = T::COLUMNS.iter().map(|column| column.name).collect();
        Err(Usage(format!(
            "{option} {name}: a {} has no such column; it has {} and {METADATA}KEY",
            T::NOUN,
            names.join(", ")
        )))
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Known(column) => column.name.to_owned(),
            Self::Metadata(key) => format!("{METADATA}{key}"),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Known(column) => column.kind,
            Self::Metadata(_) => Kind::Text,
        }
    }

    pub(super) fn cell(&self, row: &T) -> Cell {
        match self {
            Self::Known(column) => (column.get)(row),
            Self::Metadata(key) => {
                let value = row.metadata().and_then(|metadata| metadata.get(key));
                Cell::text(value.map(String::as_str))
            }
        }
    }
}
