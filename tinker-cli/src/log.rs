//! Log lines of the client and the engine, on stderr among what the program says.

use std::io;

use tracing::level_filters::LevelFilter;

use crate::talk;

/// Shows warnings, and more the more often `-v` was given.
pub(crate) fn install(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_target(verbose > 0)
        .with_writer(|| Line(Vec::new()))
        .init();
}

/// Gathers one log line, and prints it where a progress bar is not in its way.
struct Line(Vec<u8>);

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        talk::print(String::from_utf8_lossy(&self.0).trim_end());
    }
}
