//! Cost of the client beside that of a bare HTTP client that sends the same bytes.
//!
//! `cargo bench -p tinker-tests --bench client -- serve FILE` prints the addresses of a server with prepared answers (without
//! TLS, with TLS, and with a count of bytes), writes its certificate to the file, and serves until its input ends. With `ours`
//! and `bare` in place of `serve`, and the three addresses before the file, the program reads a workload a line
//! (`workload.rs`; over TLS with `tls` before it) and answers with the measured numbers, see [`usage::Cost`]. Compare both in
//! turn: timings vary between runs.
//!
//! With `levels` it prints what the levels of zstd save and cost.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::large_futures,
    clippy::large_enum_variant,
    reason = "a program that measures"
)]

mod answers;
mod bare;
mod connection;
mod counted;
mod levels;
mod manner;
mod ours;
mod passes;
mod samples;
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
        ["ours", http, https, counted, certificate] => {
            println!("tinker-client {}", env!("CARGO_PKG_VERSION"));
            let targets = Targets::new([http, https, counted], certificate)?;
            answer(&targets, async |target, workload| {
                ours::run(target, workload).await
            })
        }
        ["bare", http, https, counted, certificate] => {
            println!("hyper-util");
            let targets = Targets::new([http, https, counted], certificate)?;
            answer(&targets, async |target, workload| {
                bare::run(target, workload).await
            })
        }
        ["levels"] => levels::run(),
        _ => Err(
            "client serve FILE | client ours|bare HTTP HTTPS COUNTED FILE | client levels".into(),
        ),
    }
}

/// The addresses of a server.
struct Targets {
    plain: Target,
    secure: Target,
    counted: Target,
}

impl Targets {
    fn new([http, https, counted]: [&str; 3], certificate: &str) -> Outcome<Self> {
        Ok(Self {
            plain: Target::plain(http),
            secure: Target::secure(https, certificate)?,
            counted: Target::plain(counted),
        })
    }
}

fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Runs each workload that is read, and prints what it cost.
fn answer(
    targets: &Targets,
    mut run: impl AsyncFnMut(&Target, &Workload) -> Outcome<usage::Cost>,
) -> Outcome<()> {
    let runtime = runtime()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (is_secure, line) = match line.strip_prefix("tls ") {
            Some(rest) => (true, rest),
            None => (false, line.as_str()),
        };
        let workload: Workload = line.parse()?;
        let target = match workload {
            Workload::Idle { .. } => &targets.counted,
            _ if is_secure => &targets.secure,
            _ => &targets.plain,
        };
        match runtime.block_on(run(target, &workload)) {
            Ok(cost) => println!("{cost}"),
            Err(error) => println!("cannot: {}", explained(&*error)),
        }
    }
    Ok(())
}

/// An error with its causes.
fn explained(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}
