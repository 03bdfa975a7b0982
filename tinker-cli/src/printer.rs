//! Progress, notes and log lines on stderr. Results go to stdout, see `report`.

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

use crate::format::labelled;
use crate::style::{LABEL, TerminalStyle, WARNING};

/// The progress bar on the terminal, if there is one. Lines are printed above it.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Prints to stderr, unless it is quiet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    pub(crate) quiet: bool,
    pub(crate) style: TerminalStyle,
}

impl Printer {
    /// Prints a line.
    pub(crate) fn print_line(self, line: &str) {
        if !self.quiet {
            print_line(line);
        }
    }

    /// Prints a line with a label.
    pub(crate) fn print_labelled(self, label: &str, text: &str) {
        self.print_line(&labelled(LABEL, label, text));
    }

    /// Prints a note about something unexpected.
    pub(crate) fn print_note(self, text: &str) {
        self.print_line(&labelled(WARNING, "note", text));
    }
}

/// Prints a line to stderr, above the progress bar if there is one.
pub(crate) fn print_line(line: &str) {
    // Cloned, so that the lock is not held while printing.
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(|| anstream::eprintln!("{line}")),
        None => anstream::eprintln!("{line}"),
    }
}

/// Sets the progress bar that is on the terminal, or none.
pub(crate) fn set_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}
