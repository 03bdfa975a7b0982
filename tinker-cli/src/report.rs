//! Results on stdout, as text or JSON. Nothing else prints to stdout.

use std::io::Write as _;

use anyhow::Context as _;
use serde::Serialize;

use crate::style::TerminalStyle;

/// Result of a command. `--json` prints its serialised form.
pub(crate) trait Printable: Serialize {
    /// Whether the JSON form is a single line, for readers that read it while the program runs.
    const JSON_LINE: bool = false;

    /// The text form, with styles. Ends with a line break unless it is empty.
    fn to_text(&self, style: TerminalStyle) -> String;
}

/// Format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// Text for people.
    Text,
    /// One JSON value.
    Json,
}

/// Prints results.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    format: OutputFormat,
    style: TerminalStyle,
}

impl Report {
    /// Creates a printer of results.
    pub(crate) fn new(format: OutputFormat, style: TerminalStyle) -> Self {
        Self { format, style }
    }

    /// Whether results are printed as text.
    pub(crate) fn is_text(self) -> bool {
        self.format == OutputFormat::Text
    }

    /// Prints a result.
    pub(crate) fn print<P: Printable>(self, result: &P) -> anyhow::Result<()> {
        match self.format {
            OutputFormat::Text => write(result.to_text(self.style).as_bytes()),
            OutputFormat::Json => {
                let mut json = if P::JSON_LINE {
                    serde_json::to_string(result)?
                } else {
                    serde_json::to_string_pretty(result)?
                };
                json.push('\n');
                write(json.as_bytes())
            }
        }
    }
}

/// Writes bytes to stdout and flushes, so that readers get them at once.
pub(crate) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")
}
