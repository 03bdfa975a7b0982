//! Log lines of the client and the engine on stderr.

use std::io;

use tracing::level_filters::LevelFilter;

use crate::printer;

/// Installs the logger: warnings by default, and more with each `-v`.
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

/// Buffer of one log line, printed above the progress bar when it is dropped.
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
        printer::print_line(String::from_utf8_lossy(&self.0).trim_end());
    }
}
