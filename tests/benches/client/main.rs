//! Cost of the client beside that of a bare HTTP client that sends the same bytes.
//!
//! `cargo bench -p tinker-tests --bench client -- serve` prints the address of a server with prepared answers and serves
//! until its input ends. With `ours URL` and `bare URL` in place of `serve`, the program reads a workload a line
//! (`workload.rs`) and answers with the measured numbers, see [`usage::Cost`]. Compare both in turn: timings vary between runs.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures"
)]

mod answers;
mod bare;
mod ours;
mod server;
mod usage;
mod workload;

use std::io::BufRead as _;

use tokio::runtime::{Builder, Runtime};
use workload::Workload;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let (role, url) = (arguments.next(), arguments.next().unwrap_or_default());
    match role.as_deref() {
        Some("serve") => runtime()?.block_on(server::run()),
        Some("ours") => {
            println!("tinker-client {}", env!("CARGO_PKG_VERSION"));
            answer(async |workload| ours::run(&url, workload).await)
        }
        Some("bare") => {
            println!("hyper-util");
            answer(async |workload| bare::run(&url, workload).await)
        }
        _ => Err("client serve | client ours URL | client bare URL".into()),
    }
}

fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Runs each workload that is read, and prints what it cost.
fn answer(mut run: impl AsyncFnMut(&Workload) -> Outcome<usage::Cost>) -> Outcome<()> {
    let runtime = runtime()?;
    for line in std::io::stdin().lock().lines() {
        let workload: Workload = line?.parse()?;
        match runtime.block_on(run(&workload)) {
            Ok(cost) => println!("{cost}"),
            Err(error) => println!("cannot: {error}"),
        }
    }
    Ok(())
}
