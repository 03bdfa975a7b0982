//! Cost of the client beside that of a bare HTTP client that sends the same bytes.
//!
//! `cargo bench -p tinker-tests --bench client -- serve FILE` prints the addresses of a server with prepared answers, without
//! and with TLS, writes its certificate to the file, and serves until its input ends. With `ours` and `bare` in place of
//! `serve`, and the two addresses before the file, the program reads a workload a line (`workload.rs`; over TLS with `tls`
//! before it) and answers with the measured numbers, see [`usage::Cost`]. Compare both in turn: timings vary between runs.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures"
)]

mod answers;
mod bare;
mod connection;
mod ours;
mod server;
mod target;
mod usage;
mod workload;

use std::io::BufRead as _;

use target::Target;
use tokio::runtime::{Builder, Runtime};
use workload::Workload;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let words: Vec<String> = arguments.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["serve", certificate] => runtime()?.block_on(server::run(certificate)),
        ["ours", http, https, certificate] => {
            let targets = Target::both(http, https, certificate)?;
            println!("tinker-client {}", env!("CARGO_PKG_VERSION"));
            answer(&targets, async |target, workload| {
                ours::run(target, workload).await
            })
        }
        ["bare", http, https, certificate] => {
            let targets = Target::both(http, https, certificate)?;
            println!("hyper-util");
            answer(&targets, async |target, workload| {
                bare::run(target, workload).await
            })
        }
        _ => Err(
            "client serve FILE | client ours HTTP HTTPS FILE | client bare HTTP HTTPS FILE".into(),
        ),
    }
}

fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Runs each workload that is read, and prints what it cost.
fn answer(
    [plain, secure]: &[Target; 2],
    mut run: impl AsyncFnMut(&Target, &Workload) -> Outcome<usage::Cost>,
) -> Outcome<()> {
    let runtime = runtime()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (target, line) = match line.strip_prefix("tls ") {
            Some(rest) => (secure, rest),
            None => (plain, line.as_str()),
        };
        let workload: Workload = line.parse()?;
        match runtime.block_on(run(target, &workload)) {
            Ok(cost) => println!("{cost}"),
            Err(error) => println!("cannot: {error}"),
        }
    }
    Ok(())
}
