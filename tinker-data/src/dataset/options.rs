//! Options of reading.

use super::format::Format;

/// How data files are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Format of all rows. By default each row has the format that its keys belong to.
    pub format: Option<Format>,
    /// Leaves out lines with errors and counts them, instead of returning an error.
    pub skip_bad: bool,
    /// Accepts completions without text, of which only the end is learned; a renderer for them needs
    /// [`Renderer::with_empty_answers`](crate::Renderer::with_empty_answers).
    pub allow_empty: bool,
}

impl ReadOptions {
    /// Any format, and no bad lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads all rows in one format.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Leaves out lines with errors and counts them.
    #[must_use]
    pub fn skipping_bad(mut self) -> Self {
        self.skip_bad = true;
        self
    }

    /// Accepts completions without text.
    #[must_use]
    pub fn allowing_empty(mut self) -> Self {
        self.allow_empty = true;
        self
    }
}
