//! A client in steady use for minutes of real time while its server, a second process of this program, is killed and
//! started again: `soak LIVES SECONDS`. Fails if something was done twice or took too long, an error gave no advice, or
//! memory grew.

#![expect(clippy::print_stdout, reason = "figures for people")]

use std::alloc::System;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use cap::Cap;
use tinker_client::{Config, LoraConfig, ServiceClient};
use tinker_local::LocalEngine;
use tinker_tests::executed::{Executed, Told};
use tinker_tests::soak::{Ledger, Limits, Traffic};
use tokio::net::TcpListener;
use tokio::time::sleep;

const MODEL: &str = "tinker-local/tiny";
const LIMITS: Limits = Limits {
    call: Duration::from_secs(10),
    between_samples: Duration::from_millis(20),
    between_steps: Duration::from_secs(1),
};
/// Time that a call may take beyond its limit on a busy machine.
const SLACK: Duration = Duration::from_secs(1);
/// Time for which nothing listens.
const AWAY: Duration = Duration::from_secs(2);
/// The same after every third server, from the first on: longer than the limit of a call.
const LONG_AWAY: Duration = Duration::from_secs(15);
/// Readings of memory after each life, one a second. No call is in flight, and no connection is open: the number of idle
/// ones depends on how busy the machine was.
const READINGS: usize = 5;
/// How far resident memory may be from that after the second life, and how far the least allocated bytes may rise.
const LEVEL: f64 = 0.05;

/// Counts the bytes that this process has allocated.
#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

/// A second process of this program that serves, and the thread that notes what it executes.
struct Server {
    child: Child,
    reader: JoinHandle<()>,
}

impl Server {
    fn start(address: SocketAddr, folder: &Path, traffic: &Arc<Traffic>) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(address.to_string())
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(out).lines();
        // It listens when it prints its first line.
        lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        let (life, traffic) = (traffic.ledger.begin_life(), Arc::clone(traffic));
        let read = move || {
            for executed in lines.map_while(Result::ok).filter_map(|line| parse(&line)) {
                traffic.ledger.execute(executed, life);
            }
        };
        let reader = std::thread::spawn(read);
        Ok(Self { child, reader })
    }

    fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        let joined = self.reader.join();
        joined.map_err(|_| io::Error::other("the reader of the server's output panicked"))
    }
}

fn parse(line: &str) -> Option<Executed> {
    let (kind, number) = line.split_once(' ')?;
    match kind {
        "sample" => Some(Executed::Sample {
            seed: number.parse().ok(),
        }),
        "step" => Some(Executed::Step {
            learning_rate: number.parse().ok()?,
        }),
        _ => None,
    }
}

/// Serves until the process is killed. Each operation is printed before it begins.
async fn serve(address: &str, folder: &str) -> Result<(), Box<dyn Error>> {
    let tell = |executed: Executed| {
        let mut out = io::stdout().lock();
        let _told = match executed {
            Executed::Pass => Ok(()),
            Executed::Step { learning_rate } => writeln!(out, "step {learning_rate:e}"),
            Executed::Sample { seed } => writeln!(out, "sample {}", seed.unwrap_or(0)),
        };
    };
    let engine = LocalEngine::builder()
        .backend(Box::new(Told::builtin(tell)?))
        .data_dir(folder)
        .build()?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    tinker_local::serve(listener, engine, std::future::pending()).await?;
    Ok(())
}

/// Medians of the readings at the end of a life, in bytes.
#[derive(Clone, Copy, Debug)]
struct Memory {
    allocated: usize,
    resident: usize,
}

impl Memory {
    async fn read() -> Self {
        let (mut allocated, mut resident) = (Vec::new(), Vec::new());
        for _ in 0..READINGS {
            sleep(Duration::from_secs(1)).await;
            allocated.push(ALLOCATED.allocated());
            resident.push(resident_bytes().unwrap_or(0));
        }
        let median = |mut numbers: Vec<usize>| {
            numbers.sort_unstable();
            numbers[READINGS / 2]
        };
        Self {
            allocated: median(allocated),
            resident: median(resident),
        }
    }
}

/// Resident memory of this process, if the system has a `/proc`.
fn resident_bytes() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// The largest relative distance of the resident memory after later lives from that after the second.
fn drift(lives: &[Memory]) -> f64 {
    let mut numbers = lives.iter().skip(1).map(|memory| memory.resident as f64);
    let Some(second) = numbers.next().filter(|&second| second > 0.0) else {
        return 0.0;
    };
    numbers
        .map(|later| (later - second).abs() / second)
        .fold(0.0, f64::max)
}

/// The rise of the allocated bytes from lives two to four to the last three, the least of each: single readings differ,
/// above all after long absences.
fn rise(lives: &[Memory]) -> f64 {
    let least = |lives: &[Memory]| lives.iter().map(|memory| memory.allocated).min();
    let early = least(lives.get(1..4).unwrap_or_default());
    let late = least(&lives[lives.len().saturating_sub(3)..]);
    match (early, late) {
        (Some(early), Some(late)) => late as f64 / early as f64 - 1.0,
        _ => 0.0,
    }
}

async fn soak(lives: usize, life: Duration) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Handle::current().metrics();
    let folder = tempfile::tempdir()?;
    // Another program might take the port while nothing listens; the kernel gives a port out again last of all.
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let seconds = lives * (life + LONG_AWAY).as_secs() as usize;
    let traffic = Arc::new(Traffic::new(Ledger::new(60 * seconds, 2 * seconds), LIMITS));
    let tasks_before = runtime.num_alive_tasks();
    let mut server = Server::start(address, folder.path(), &traffic)?;
    let service =
        ServiceClient::new(Config::new(format!("http://{address}")).with_telemetry(false))?;
    let lora = LoraConfig::new(8).with_seed(1);
    let training = service.create_lora_training_client(MODEL, lora).await?;
    training.save_state("start").await?;
    let sampler = service.create_sampling_client(MODEL).await?;
    let drawing = tokio::spawn(Arc::clone(&traffic).draw(sampler));
    let training = tokio::spawn(Arc::clone(&traffic).train(training));

    println!("| life | samples | steps | allocated, KiB | resident, KiB |\n|---|---|---|---|---|");
    let mut memory = Vec::new();
    for number in 1..=lives {
        sleep(life.saturating_sub(Duration::from_secs(READINGS as u64))).await;
        traffic.pause().await;
        server.kill()?;
        let now = Memory::read().await;
        let (samples, steps) = (traffic.ledger.samples().good, traffic.ledger.steps().good);
        let (allocated, resident) = (now.allocated >> 10, now.resident >> 10);
        println!("| {number} | {samples} | {steps} | {allocated} | {resident} |");
        memory.push(now);
        if number == lives {
            break;
        }
        traffic.resume();
        let is_long = number % 3 == 1;
        sleep(if is_long { LONG_AWAY } else { AWAY }).await;
        server = Server::start(address, folder.path(), &traffic)?;
    }
    traffic.end();
    drawing.await?;
    training.await?;
    drop(service);
    let gone = async {
        while runtime.num_alive_tasks() > tasks_before {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let left = tokio::time::timeout(LIMITS.call, gone).await.is_err();

    println!(
        "\nsamples: {:?}\nsteps: {:?}",
        traffic.ledger.samples(),
        traffic.ledger.steps()
    );
    println!(
        "longest call: {:.2} s, limit {:?}",
        traffic.longest().as_secs_f64(),
        LIMITS.call
    );
    for (kind, (times, first)) in traffic.errors() {
        println!("error, {kind}, {times} times, first: {first}");
    }
    let (rise, drift) = (rise(&memory), drift(&memory));
    println!(
        "rise of the least allocated bytes {:.1} %, distance of resident memory from the second life {:.1} %",
        100.0 * rise,
        100.0 * drift
    );
    let faults = [
        (
            !traffic.ledger.doubles().is_empty(),
            format!("done twice: {:?}", traffic.ledger.doubles()),
        ),
        (
            !traffic.wrong().is_empty(),
            format!("errors without advice: {:?}", traffic.wrong()),
        ),
        (
            traffic.longest() > LIMITS.call + SLACK,
            "a call outlasted its limit".to_owned(),
        ),
        (left, "tasks of the client are left".to_owned()),
        (
            rise > LEVEL || drift > LEVEL,
            "memory is not level".to_owned(),
        ),
    ];
    let faults: Vec<String> = faults
        .into_iter()
        .filter(|fault| fault.0)
        .map(|fault| fault.1)
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("; ").into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, folder] => serve(address, folder).await,
        [lives, seconds] => soak(lives.parse()?, Duration::from_secs(seconds.parse()?)).await,
        _ => Err("soak LIVES SECONDS".into()),
    }
}
