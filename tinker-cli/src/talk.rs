//! What the program says on the way, on stderr. Nothing here is a result.

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

use crate::look::{LABEL, Look, WARNING, paint};

/// Column where the text after a label starts.
const INDENT: usize = 14;

/// The bar on the terminal, if there is one: what is said goes above it.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Says things on stderr, unless it was asked to be quiet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    pub(crate) quiet: bool,
    pub(crate) look: Look,
}

impl Talk {
    /// A line.
    pub(crate) fn say(self, line: &str) {
        if !self.quiet {
            print(line);
        }
    }

    /// A labelled line.
    pub(crate) fn tell(self, label: &str, text: &str) {
        self.say(&labelled(label, text));
    }

    /// Something the user may not expect.
    pub(crate) fn note(self, text: &str) {
        self.say(&labelled_in(WARNING, "note", text));
    }
}

/// Prints a line on stderr, above the bar if there is one.
pub(crate) fn print(line: &str) {
    // Cloned, so that printing does not happen under the lock.
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(|| anstream::eprintln!("{line}")),
        None => anstream::eprintln!("{line}"),
    }
}

/// From now on this bar is on the terminal, or none.
pub(crate) fn set_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// A label and its text, aligned with its neighbours.
pub(crate) fn labelled(label: &str, text: &str) -> String {
    labelled_in(LABEL, label, text)
}

fn labelled_in(style: anstyle::Style, label: &str, text: &str) -> String {
    let gap = INDENT.saturating_sub(label.len() + 2).max(1);
    format!("  {}{:gap$}{text}", paint(style, label), "")
}
