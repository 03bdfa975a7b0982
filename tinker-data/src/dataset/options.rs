//! Options of reading.

use super::format::Format;

/// How data files are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Format of all rows. By default each row has the format that its keys belong to.
    pub format: Option<Format>,
    /// Leaves out lines that cannot be read or encoded, and counts them, instead of returning an error.
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

    /// Sets [`Self::skip_bad`].
    #[must_use]
    pub fn with_skip_bad(mut self, skip_bad: bool) -> Self {
        self.skip_bad = skip_bad;
        self
    }

    /// Sets [`Self::allow_empty`].
    #[must_use]
    pub fn with_allow_empty(mut self, allow_empty: bool) -> Self {
        self.allow_empty = allow_empty;
        self
    }
}
