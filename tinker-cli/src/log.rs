//! Log lines of the client and the engine on stderr.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::printer;

/// Warnings about a server that cannot be reached, which the narrator reports in other words.
const OUTAGES: &str = "tinker_client::observe::reach";

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
        .finish()
        .with(filter_fn(|metadata| metadata.target() != OUTAGES))
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
