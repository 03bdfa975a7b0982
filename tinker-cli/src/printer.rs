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
    /// Whether progress is redrawn in place.
    pub(crate) is_live: bool,
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

/// Removes the progress bar from the terminal, before the process ends without unwinding.
pub(crate) fn close_bar() {
    // A thread that panics may hold the lock.
    if let Ok(mut bar) = BAR.try_lock()
        && let Some(bar) = bar.take()
    {
        bar.finish_and_clear();
    }
}

/// Removes the progress bar before the message of a panic.
pub(crate) fn clear_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The bar draws nothing in a thread that panics. Without another thread it stays.
        let closing = std::thread::Builder::new().spawn(close_bar);
        let _ = closing.map(std::thread::JoinHandle::join);
        report(panic);
    }));
}

/// Sets the progress bar that is on the terminal, or none.
pub(crate) fn set_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}
