//! Speed and memory of reading a file of chats.
//!
//! ```sh
//! cargo run --release -p tinker-data --example throughput -- [FILE] [MIB] [MODEL]
//! ```
//!
//! Writes a file of chats of the given size if it does not exist. Reads it row by row on one core, then counts it as
//! `tinker data check` does, with the byte tokenizer and on all cores. Prints megabytes per second and, on Linux, the
//! largest resident memory.
//!
//! With the folder of a model (feature `tokenizers`), encodes the file as `tinker train` does, saves the tokens, and opens
//! them again.

#![expect(clippy::print_stdout, reason = "an example")]
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement of wall-clock time"
)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use tinker_data::{ReadOptions, Renderer, Rows, Survey};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .unwrap_or_else(|| "throughput.jsonl".to_owned());
    let mebibytes: u64 = arguments.next().map_or(Ok(1024), |text| text.parse())?;
    if !Path::new(&path).exists() {
        write(Path::new(&path), mebibytes << 20)?;
    }
    let megabytes = std::fs::metadata(&path)?.len() as f64 / 1e6;
    let options = ReadOptions::new();
    let start = Instant::now();
    let mut count = 0_usize;
    for row in Rows::open(&path, &options)? {
        row?;
        count += 1;
    }
    report("read", count, megabytes, start);
    let start = Instant::now();
    let mut survey = Survey::new(Renderer::plain());
    survey.add(Rows::open(&path, &options)?)?;
    report("counted", survey.finish()?.rows, megabytes, start);
    #[cfg(all(feature = "templates", feature = "tokenizers"))]
    if let Some(model) = arguments.next() {
        encode(&path, megabytes, &Renderer::from_folder(model)?)?;
    }
    Ok(())
}

/// Encodes the file, saves the tokens, and opens them.
#[cfg(all(feature = "templates", feature = "tokenizers"))]
fn encode(
    path: &str,
    megabytes: f64,
    renderer: &Renderer,
) -> Result<(), Box<dyn std::error::Error>> {
    use tinker_data::{Index, LengthLimit, Sequences};

    let start = Instant::now();
    let mut index = Index::new(ReadOptions::new());
    index.add_file(path)?;
    report("indexed", index.len(), megabytes, start);
    let start = Instant::now();
    let sequences = index.encode(renderer, LengthLimit::Unknown, &|_| ())?;
    report("encoded", index.len(), megabytes, start);
    let saved = format!("{path}.sequences");
    let start = Instant::now();
    sequences.save(&saved)?;
    report("saved", sequences.len(), megabytes, start);
    let start = Instant::now();
    let opened = Sequences::open(&saved)?;
    report("opened", opened.len(), megabytes, start);
    println!("{} bytes of tokens", std::fs::metadata(&saved)?.len());
    Ok(std::fs::remove_file(&saved)?)
}

fn report(done: &str, rows: usize, megabytes: f64, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    let peak = peak.unwrap_or_default().replace(['\t', ' '], "");
    println!(
        "{done} {rows} rows, {megabytes:.0} MB, at {:.0} MB/s; {peak}",
        megabytes / seconds
    );
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
