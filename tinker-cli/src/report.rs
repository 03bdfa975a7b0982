//! Results on stdout, as text or JSON: the only printer to stdout.

use std::io::Write as _;

use anyhow::Context as _;
use serde::Serialize;

use crate::look::Look;

/// What a command has found out. The serialised form is what `--json` prints.
pub(crate) trait Answer: Serialize {
    /// The JSON form is one line, for readers that go on while the program runs.
    const JSON_LINE: bool = false;

    /// For people, with styles; ends with a line break unless it is empty.
    fn to_text(&self, look: Look) -> String;
}

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON value.
    Json,
}

/// Prints results.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    format: Format,
    look: Look,
}

impl Report {
    /// Prints in this form.
    pub(crate) fn new(format: Format, look: Look) -> Self {
        Self { format, look }
    }

    /// Results are for people.
    pub(crate) fn is_text(self) -> bool {
        self.format == Format::Text
    }

    /// Prints one answer.
    pub(crate) fn print<A: Answer>(self, answer: &A) -> anyhow::Result<()> {
        match self.format {
            Format::Text => write(answer.to_text(self.look).as_bytes()),
            Format::Json => {
                let mut json = if A::JSON_LINE {
                    serde_json::to_string(answer)?
                } else {
                    serde_json::to_string_pretty(answer)?
                };
                json.push('\n');
                write(json.as_bytes())
            }
        }
    }
}

/// Writes bytes as they are, and flushes, so that a reading script sees them now.
pub(crate) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")
}
