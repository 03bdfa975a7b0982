//! Cost of a session that is open and not used: `idle URL SECONDS [MODEL]`, with a server in another process.
//!
//! `cargo bench -p tinker-tests --bench client -- serve` prints the address of such a server. The client runs on one
//! thread and on the clock of the system; the figures are printed as they are and for ten minutes.
#![expect(clippy::print_stdout, reason = "a table for people")]
#![expect(
    clippy::disallowed_methods,
    reason = "the time of the system is measured"
)]

use std::error::Error;
use std::time::{Duration, Instant};

use tinker_client::{Config, ServiceClient};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TEN_MINUTES: f64 = 600.0;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "idle URL SECONDS [MODEL]";
    let url = arguments.next().ok_or(usage)?;
    let seconds: u64 = arguments.next().ok_or(usage)?.parse()?;
    let model = arguments.next().unwrap_or_else(|| "m".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let config = Config::new(url).with_api_key("tml-idle");
    let service = ServiceClient::new(config)?;
    let client =
        runtime.block_on(async { service.create_sampling_client(model.as_str()).await })?;
    // The first heartbeat opens a connection.
    runtime.block_on(rest(11));
    let start = Instant::now();
    let before = [number("schedstat", "")?, number("io", "wchar:")?];
    let counted = allocation_counter::measure(|| {
        runtime.block_on(rest(seconds));
    });
    let after = [number("schedstat", "")?, number("io", "wchar:")?];
    let scale = TEN_MINUTES / start.elapsed().as_secs_f64();
    drop(client);
    println!("| idle session | {seconds} s | 10 minutes |\n|---|--:|--:|");
    let row = |name: &str, count: f64| println!("| {name} | {count:.1} | {:.1} |", count * scale);
    row("processor time, ms", (after[0] - before[0]) as f64 / 1e6);
    row("bytes sent", (after[1] - before[1]) as f64);
    row("allocations", counted.count_total as f64);
    row("bytes allocated", counted.bytes_total as f64);
    Ok(())
}

async fn rest(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A number that the system keeps for this thread: the first of a file, or that of a line.
fn number(file: &str, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/thread-self/{file}"))?;
    let mut lines = text.lines();
    let rest = lines.find_map(|line| line.strip_prefix(name));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    Ok(word.ok_or("the system does not count this")?.parse()?)
}
