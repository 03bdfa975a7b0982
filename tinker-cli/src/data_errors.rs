//! Errors of data files as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use tinker_data::{DatasetError, ErrorKind, LineError};

use crate::report::{Printable, Report};
use crate::style::TerminalStyle;

/// The errors of a file, without the limit on their number that their message has.
#[derive(Debug, Serialize)]
pub(crate) struct FileErrors {
    file: String,
    /// Number of errors by kind.
    counts: BTreeMap<ErrorKind, usize>,
    lines: Vec<LineError>,
}

impl FileErrors {
    /// The errors of a file.
    pub(crate) fn new(error: &DatasetError) -> Self {
        Self {
            file: error.path().display().to_string(),
            counts: error.counts(),
            lines: error.lines().to_vec(),
        }
    }
}

/// Result of a command that stopped because of its data.
#[derive(Debug, Serialize)]
struct Refused {
    errors: Vec<FileErrors>,
}

impl Printable for Refused {
    /// The message of the error lists them.
    fn to_text(&self, _: TerminalStyle) -> String {
        String::new()
    }
}

/// Prints all errors of the data as JSON, if the command failed because of them and its result is JSON.
pub(crate) fn print_if_json<T>(result: &anyhow::Result<T>, report: Report) -> anyhow::Result<()> {
    let Some(error) = result.as_ref().err() else {
        return Ok(());
    };
    match error.chain().find_map(|cause| cause.downcast_ref()) {
        Some(error) if !report.is_text() => report.print(&Refused {
            errors: vec![FileErrors::new(error)],
        }),
        _ => Ok(()),
    }
}
