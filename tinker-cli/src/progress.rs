//! How far a long operation has come, on stderr: a bar on a terminal, a line every few seconds elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::talk::{self, Talk, labelled};

/// Time between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);
/// Frames a second of the bar.
const FRAMES: u8 = 15;

/// One operation on its way.
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
    /// Starts to show an operation of `total` parts.
    pub(crate) fn start(talk: Talk, label: &'static str, total: usize) -> Self {
        let shown = if talk.quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            Shown::Bar(bar(talk, label, total))
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

    /// `done` parts are done; `message` says more about it.
    pub(crate) fn update(&mut self, done: usize, message: &str) {
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_message(message.to_owned());
                bar.set_position(done as u64);
            }
            Shown::Lines { last } if last.elapsed() >= EVERY => {
                *last = Instant::now();
                let line = format!("{done}/{}  {message}", self.total);
                talk::print(&labelled(self.label, line.trim_end()));
            }
            Shown::Lines { .. } | Shown::Nothing => {}
        }
    }
}

impl Drop for Progress {
    /// Takes the bar away, however the operation ended, so that what is printed next starts on a clean line.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            talk::set_bar(None);
            bar.finish_and_clear();
        }
    }
}

fn bar(talk: Talk, label: &'static str, total: usize) -> ProgressBar {
    let (filled, frames): (_, &[&str]) = if talk.look.unicode {
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
    talk::set_bar(Some(bar.clone()));
    bar
}
