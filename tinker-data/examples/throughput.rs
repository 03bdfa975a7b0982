//! Speed and memory of reading: `cargo run --release -p tinker-data --example throughput -- [FILE] [MIB]`.
//!
//! Writes a file of chats of the given size if it does not exist, reads it row by row, and prints megabytes per second
//! and, on Linux, the largest resident memory.

#![expect(clippy::print_stdout, reason = "an example")]
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement of wall-clock time"
)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use tinker_data::{ReadOptions, Rows};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .unwrap_or_else(|| "throughput.jsonl".to_owned());
    let mebibytes: u64 = arguments.next().map_or(Ok(1024), |text| text.parse())?;
    if !Path::new(&path).exists() {
        write(Path::new(&path), mebibytes << 20)?;
    }
    let size = std::fs::metadata(&path)?.len();
    let start = Instant::now();
    let mut rows = Rows::open(&path, &ReadOptions::new())?;
    let mut count = 0_usize;
    for row in rows.by_ref() {
        row?;
        count += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{count} rows, {:.1} MB, {:.0} MB/s on one core",
        size as f64 / 1e6,
        size as f64 / 1e6 / seconds
    );
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find(|line| line.starts_with("VmHWM"));
        println!("{}", peak.unwrap_or_default());
    }
    Ok(())
}

/// Writes chats of a few hundred bytes.
fn write(path: &Path, size: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut random = fastrand::Rng::with_seed(0);
    let words = [
        "big",
        "small",
        "\\\"quoted\\\"",
        "line\\nbreak",
        "caf\u{e9}",
        "number 42",
        "and",
        "the",
    ];
    let mut written = 0;
    while written < size {
        let mut text = |count: usize| -> String {
            let words = (0..count).map(|_| words[random.usize(..words.len())]);
            words.collect::<Vec<_>>().join(" ")
        };
        let line = format!(
            "{{\"id\":{written},\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}},{{\"role\":\"assistant\",\"content\":\"{}\"}}]}}\n",
            text(20),
            text(60)
        );
        file.write_all(line.as_bytes())?;
        written += line.len() as u64;
    }
    file.flush()
}
