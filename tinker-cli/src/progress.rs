//! Progress of a long operation on stderr: a bar on a terminal, else a line every few seconds.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::format::{self, labelled};
use crate::printer::{self, Printer};
use crate::style::LABEL;

/// Progress of reading a list of unknown length: after a second, the number of entries on the terminal.
#[derive(Debug)]
pub(crate) struct Counter {
    noun: &'static str,
    shown: Shown,
    is_terminal: bool,
}

impl Counter {
    /// Starts to count.
    pub(crate) fn start(printer: Printer, noun: &'static str) -> Self {
        let shown = if printer.quiet {
            Shown::Nothing
        } else {
            Shown::Lines {
                last: Instant::now(),
            }
        };
        Self {
            noun,
            shown,
            is_terminal: printer.is_live,
        }
    }

    /// Shows that `read` entries were read.
    pub(crate) fn update(&mut self, read: usize) {
        let text = || format!("{} read", format::count(read, self.noun));
        match &mut self.shown {
            Shown::Bar(bar) => bar.set_message(text()),
            Shown::Lines { last } if !self.is_terminal && last.elapsed() >= EVERY => {
                *last = Instant::now();
                printer::print_line(&text());
            }
            Shown::Lines { last } if self.is_terminal && last.elapsed() >= FIRST => {
                let bar = ProgressBar::new_spinner();
                bar.set_message(text());
                printer::set_bar(Some(bar.clone()));
                self.shown = Shown::Bar(bar);
            }
            Shown::Lines { .. } | Shown::Nothing => {}
        }
    }

    /// Runs a function that prints, without the line of the counter.
    pub(crate) fn pause<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(print),
            _ => print(),
        }
    }
}

impl Drop for Counter {
    /// Removes the line of the counter.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            printer::set_bar(None);
            bar.finish_and_clear();
        }
    }
}

/// Time between two lines without a terminal.
const EVERY: Duration = Duration::from_secs(5);
/// Time after which a counter is shown on a terminal.
const FIRST: Duration = Duration::from_secs(1);
/// Frames per second of the bar.
const FRAMES: u8 = 15;

/// Progress of one operation.
#[derive(Debug)]
pub(crate) struct Progress {
    label: &'static str,
    total: usize,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nothing,
}

impl Progress {
    /// Starts to show the progress of an operation of `total` parts.
    pub(crate) fn start(printer: Printer, label: &'static str, total: usize) -> Self {
        let shown = if printer.quiet {
            Shown::Nothing
        } else if printer.is_live {
            Shown::Bar(bar(printer, label, total))
        } else {
            Shown::Lines {
                last: Instant::now(),
            }
        };
        Self {
            label,
            total,
            shown,
        }
    }

    /// Whether the progress is redrawn in place, so that a message may have several lines.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.shown, Shown::Bar(_))
    }

    /// Shows that `done` parts are done, with a message.
    pub(crate) fn update(&mut self, done: usize, message: &str) {
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_message(message.to_owned());
                bar.set_position(done as u64);
            }
            Shown::Lines { last } if last.elapsed() >= EVERY => {
                *last = Instant::now();
                let line = format!("{done}/{}  {message}", self.total);
                printer::print_line(&labelled(LABEL, self.label, line.trim_end()));
            }
            Shown::Lines { .. } | Shown::Nothing => {}
        }
    }
}

impl Drop for Progress {
    /// Removes the bar, so that the next output starts on a clean line.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            printer::set_bar(None);
            bar.finish_and_clear();
        }
    }
}

fn bar(printer: Printer, label: &'static str, total: usize) -> ProgressBar {
    let (filled, frames): (_, &[&str]) = if printer.style.unicode {
        (
            "━╸─",
            &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "],
        )
    } else {
        ("=>-", &["|", "/", "-", "\\", " "])
    };
    let template = "{spinner:.cyan} {prefix:12.cyan.bold}{bar:28.cyan/dim} {pos}/{len}  {msg}";
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars(filled)
        .tick_strings(frames);
    let target = ProgressDrawTarget::stderr_with_hz(FRAMES);
    let bar = ProgressBar::with_draw_target(Some(total as u64), target).with_style(style);
    bar.set_prefix(label);
    bar.enable_steady_tick(Duration::from_millis(100));
    printer::set_bar(Some(bar.clone()));
    bar
}
