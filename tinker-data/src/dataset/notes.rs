//! Notes on how a data file was read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::format::Format;

/// Names of ignored columns that are kept; further names are counted as one.
const NAMES: usize = 100;

/// How a data file was read: formats, columns without a meaning, and conversions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Notes {
    /// Number of rows in each format.
    pub formats: BTreeMap<Format, usize>,
    /// Columns and keys that are ignored because they have no meaning here, with the number of rows that have them.
    pub ignored: BTreeMap<String, usize>,
    /// Conversions, with their number: `the role "developer" is read as "system"`.
    pub conversions: BTreeMap<&'static str, usize>,
    /// Lines that were left out because of errors.
    pub skipped: usize,
}

impl Notes {
    /// The notes of two files together.
    pub fn add(&mut self, other: &Self) {
        for (format, count) in &other.formats {
            *self.formats.entry(*format).or_default() += count;
        }
        for (name, count) in &other.ignored {
            *self.ignored.entry(name.clone()).or_default() += count;
        }
        for (conversion, count) in &other.conversions {
            *self.conversions.entry(conversion).or_default() += count;
        }
        self.skipped += other.skipped;
    }

    pub(super) fn format(&mut self, format: Format) {
        *self.formats.entry(format).or_default() += 1;
    }

    pub(super) fn convert(&mut self, conversion: &'static str) {
        *self.conversions.entry(conversion).or_default() += 1;
    }

    /// Counts an ignored key. `object` is the kind of object that has it; empty for the row.
    pub(super) fn ignore(&mut self, object: &str, key: &str) {
        let name = if object.is_empty() {
            key.to_owned()
        } else {
            format!("{object}.{key}")
        };
        if let Some(count) = self.ignored.get_mut(&name) {
            *count += 1;
        } else if self.ignored.len() < NAMES {
            self.ignored.insert(name, 1);
        } else {
            *self.ignored.entry("others".to_owned()).or_default() += 1;
        }
    }
}
