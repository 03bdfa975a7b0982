//! Positions in data files.

use crate::dataset::place;

/// The place of a record in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dataset) struct Position {
    /// Line of its first character, from 1.
    pub(in crate::dataset) line: usize,
    /// Column of its first character, from 1.
    pub(in crate::dataset) column: usize,
    /// Offset of its first byte in the text, without a byte order mark before it.
    pub(in crate::dataset) offset: u64,
}

impl Position {
    /// The start of a file.
    pub(super) const START: Self = Self {
        line: 1,
        column: 1,
        offset: 0,
    };

    /// Line and column of a byte in the text of the record that starts here.
    pub(in crate::dataset) fn of(self, text: &str, offset: usize) -> (usize, usize) {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let breaks = memchr::memchr_iter(b'\n', before);
        let line_start = breaks.clone().next_back().map(|at| at + 1);
        let column = place::column(
            text.get(line_start.unwrap_or(0)..).unwrap_or_default(),
            offset - line_start.unwrap_or(0).min(offset),
        );
        match line_start {
            Some(_) => (self.line + breaks.count(), column),
            None => (self.line, self.column + column - 1),
        }
    }
}

/// The longest record that is read.
pub(super) const LONGEST: usize = 16 << 20;
