//! Work in this thread whose progress is shown by another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::format;
use crate::printer::Printer;
use crate::progress::Progress;

/// Time between two updates of the progress.
const TICK: Duration = Duration::from_millis(100);
/// Work that is done in this time shows no progress: it could not be read.
const SHORT: Duration = Duration::from_secs(1);

/// Unit in which progress is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    /// Number of counted things that are shown as one.
    pub(crate) size: u64,
}

impl Unit {
    /// Rows of data.
    pub(crate) const ROWS: Self = Self {
        name: "rows",
        size: 1,
    };
    /// Bytes, shown as megabytes.
    pub(crate) const BYTES: Self = Self {
        name: "MB",
        size: 1_000_000,
    };
}

/// Does work that counts in `done` up to `total`, and shows how far it is and the time left. Without a total nothing is
/// shown.
pub(crate) fn watched<T>(
    printer: Printer,
    label: &'static str,
    (total, unit): (u64, Unit),
    done: &AtomicU64,
    work: impl FnOnce() -> T,
) -> T {
    let is_over = AtomicBool::new(total == 0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut progress = None;
            while !is_over.load(Ordering::Acquire) {
                std::thread::park_timeout(TICK);
                let elapsed = started.elapsed();
                if elapsed < SHORT {
                    continue;
                }
                let shown = |count: u64| (count / unit.size) as usize;
                let progress =
                    progress.get_or_insert_with(|| Progress::start(printer, label, shown(total)));
                let done = done.load(Ordering::Relaxed).min(total);
                let message = format!("{}{}", unit.name, time_left(elapsed, done, total));
                progress.update(shown(done), &message);
            }
        });
        let _guard = StopOnDrop {
            is_over: &is_over,
            watcher: watcher.thread().clone(),
        };
        work()
    })
}

/// Ends the watcher, even if the work panics.
struct StopOnDrop<'a> {
    is_over: &'a AtomicBool,
    watcher: std::thread::Thread,
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        self.watcher.unpark();
    }
}

/// The time that the rest needs at the same speed.
fn time_left(elapsed: Duration, done: u64, total: u64) -> String {
    if done == 0 {
        return String::new();
    }
    let left = elapsed.mul_f64((total - done) as f64 / done as f64);
    format!(", {} left", format::duration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_same_speed() {
        let second = Duration::from_secs(1);
        assert_eq!(time_left(second, 0, 8), "");
        assert_eq!(time_left(second, 2, 8), ", 3.0 s left");
    }

    #[test]
    #[should_panic(expected = "the work")]
    fn a_panic_of_the_work_is_passed_on() {
        let quiet = Printer {
            quiet: true,
            is_live: false,
            style: crate::style::TerminalStyle::detect(true),
        };
        watched(quiet, "", (1, Unit::ROWS), &AtomicU64::new(0), || {
            panic!("the work");
        });
    }
}
