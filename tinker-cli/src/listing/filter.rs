//! Conditions on the rows of a list: `--filter 'size>10MB'`.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::cell::{Cell, Kind};
use super::column::{Chosen, Row};
use crate::clock;
use crate::exit::Usage;

/// Comparisons, longer signs first.
const SIGNS: [(&str, Comparison); 8] = [
    ("!=", Comparison::Different),
    ("!~", Comparison::Lacks),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("~", Comparison::Contains),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Different,
    Lacks,
    AtMost,
    AtLeast,
    Equal,
    Contains,
    Less,
    More,
}

/// Conditions that must all hold.
#[derive(Debug)]
pub(crate) struct Filters<T: 'static> {
    filters: Vec<Filter<T>>,
    now: Timestamp,
}

impl<T: Row> Filters<T> {
    /// Reads conditions.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, Usage> {
        let now = clock::moment();
        let filters: Result<Vec<_>, _> =
            texts.iter().map(|text| Filter::parse(text, now)).collect();
        Ok(Self {
            filters: filters?,
            now,
        })
    }

    /// Whether a row fulfils all conditions.
    pub(crate) fn accepts(&self, row: &T) -> bool {
        self.filters
            .iter()
            .all(|filter| filter.accepts(row, self.now))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }
}

/// A condition on one column.
#[derive(Debug)]
struct Filter<T: 'static> {
    column: Chosen<T>,
    comparison: Comparison,
    value: Cell,
}

impl<T: Row> Filter<T> {
    /// Reads a condition.
    fn parse(text: &str, now: Timestamp) -> Result<Self, Usage> {
        let refuse = |why: String| Usage(format!("--filter {text:?}: {why}"));
        let at = text.find(['!', '<', '>', '=', '~']);
        let found = at.and_then(|at| {
            let (name, rest) = text.split_at(at);
            let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign))?;
            Some((name.trim(), sign, rest[sign.0.len()..].trim()))
        });
        let Some((name, &(sign, comparison), value)) = found else {
            let why = "give COLUMN, a sign and a VALUE; the signs are = != ~ !~ < <= > >=";
            return Err(refuse(why.to_owned()));
        };
        let column = Chosen::find("--filter", name)?;
        let kind = column.kind();
        let orders = matches!(sign, "<" | "<=" | ">" | ">=");
        if orders && matches!(kind, Kind::Text | Kind::Flag) {
            let why = format!("{name} has no order; its signs are = != ~ !~");
            return Err(refuse(why));
        }
        let contains = matches!(comparison, Comparison::Contains | Comparison::Lacks);
        let kind = if contains { Kind::Text } else { kind };
        let value = Cell::parse(kind, value, now).map_err(refuse)?;
        Ok(Self {
            column,
            comparison,
            value,
        })
    }

    /// Whether a row fulfils the condition. A missing value equals `none` only, and is neither small nor large.
    fn accepts(&self, row: &T, now: Timestamp) -> bool {
        let cell = self.column.cell(row);
        let is_missing = matches!(cell, Cell::Missing(_)) || matches!(self.value, Cell::Missing(_));
        let order = cell.order(&self.value);
        match self.comparison {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::Different => order != Ordering::Equal,
            Comparison::Contains => self.is_in(&cell, now),
            Comparison::Lacks => !self.is_in(&cell, now),
            _ if is_missing => false,
            Comparison::Less => order == Ordering::Less,
            Comparison::AtMost => order != Ordering::Greater,
            Comparison::More => order == Ordering::Greater,
            Comparison::AtLeast => order != Ordering::Less,
        }
    }

    /// Whether the text of a cell contains that of the filter, in any case.
    fn is_in(&self, cell: &Cell, now: Timestamp) -> bool {
        let text = match cell {
            Cell::Time(time) => time.to_string(),
            cell => cell.to_text(now),
        };
        let wanted = self.value.to_raw().to_lowercase();
        text.to_lowercase().contains(&wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;
    use crate::listing::Column;

    #[derive(Debug, Serialize)]
    struct File {
        name: &'static str,
        size: Option<u64>,
        notes: BTreeMap<String, String>,
    }

    impl Row for File {
        const NOUN: &'static str = "file";
        const COLUMNS: &'static [Column<Self>] = &[
            Column {
                name: "name",
                kind: Kind::Text,
                get: |file| Cell::text(Some(file.name)),
            },
            Column {
                name: "size",
                kind: Kind::Bytes,
                get: |file| Cell::of(file.size, Cell::Bytes),
            },
        ];
        const DEFAULT: &'static [&'static str] = &["name"];

        fn metadata(&self) -> Option<&BTreeMap<String, String>> {
            Some(&self.notes)
        }
    }

    #[test]
    fn conditions_choose_rows() {
        let now = Timestamp::UNIX_EPOCH;
        let notes = BTreeMap::from([("owner".to_owned(), "Ann".to_owned())]);
        let file = |name, size| File {
            name,
            size,
            notes: notes.clone(),
        };
        let files = [file("Alpha", Some(2000)), file("beta", None)];
        for (text, expected) in [
            ("name=beta", [false, true]),
            ("name!=beta", [true, false]),
            ("name~ALPH", [true, false]),
            ("name!~alph", [false, true]),
            ("size>1KB", [true, false]),
            ("size<1KB", [false, false]),
            ("size>=2000", [true, false]),
            ("size=none", [false, true]),
            ("meta.owner=Ann", [true, true]),
            ("meta.other=Ann", [false, false]),
        ] {
            let filter: Filter<File> = Filter::parse(text, now).unwrap();
            let found = files.each_ref().map(|file| filter.accepts(file, now));
            assert_eq!(found, expected, "{text}");
        }
        for (text, why) in [
            ("name", "the signs are"),
            ("colour=red", "it has name, size and meta.KEY"),
            ("name<b", "has no order"),
            ("size>big", "is not a size"),
        ] {
            let error = Filter::<File>::parse(text, now).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
