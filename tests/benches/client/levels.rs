//! Savings and costs of the levels of zstd: the time from the start of the compression of a batch to the arrival of its last
//! byte, on lines of several speeds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tinker_client::{Datum, Loss, ModelInput};
use tinker_types::{ForwardBackward, proto};

use crate::Outcome;
use crate::passes::ids;
use crate::usage::thread_time;

/// Rows, tokens and requests of a batch.
const BATCH: (usize, usize, usize) = (256, 4096, 4);
const LEVELS: [i32; 9] = [-5, -1, 1, 2, 3, 4, 5, 7, 9];
/// Speeds of lines, in bit/s.
const LINES: [f64; 3] = [1e8, 1e9, 1e10];
const ROUNDS: usize = 3;

/// Prints the tables as Markdown.
pub(crate) fn run() -> Outcome<()> {
    let mut random = fastrand::Rng::with_seed(7);
    let batches = [
        ("`cross_entropy`", Loss::cross_entropy()),
        ("`importance_sampling`", Loss::importance_sampling()),
    ];
    for (name, loss) in batches {
        let bodies = bodies(&loss, &mut random)?;
        let bytes: usize = bodies.iter().map(Bytes::len).sum();
        println!(
            "\n{name}, {:.1} MB in {} requests, {} threads:\n",
            bytes as f64 / 1e6,
            bodies.len(),
            threads()
        );
        println!(
            "| level | bytes, % | processor ms | ms at 100 Mbit/s | at 1 Gbit/s | at 10 Gbit/s |"
        );
        println!("|---|--:|--:|--:|--:|--:|");
        let plain: Vec<Ready> = bodies.iter().map(Ready::at_once).collect();
        print(None, bytes, Duration::ZERO, &plain);
        for level in LEVELS {
            let mut runs = Vec::with_capacity(ROUNDS);
            for _ in 0..ROUNDS {
                runs.push(compress(&bodies, level)?);
            }
            runs.sort_by_key(|(processor, _)| *processor);
            let (processor, ready) = &runs[ROUNDS / 2];
            print(Some(level), bytes, *processor, ready);
        }
    }
    Ok(())
}

/// A body that is ready to be sent.
#[derive(Debug, Clone, Copy)]
struct Ready {
    after: Duration,
    bytes: usize,
}

impl Ready {
    fn at_once(body: &Bytes) -> Self {
        Self {
            after: Duration::ZERO,
            bytes: body.len(),
        }
    }
}

fn print(level: Option<i32>, plain: usize, processor: Duration, ready: &[Ready]) {
    let bytes: usize = ready.iter().map(|ready| ready.bytes).sum();
    let share = 100.0 * bytes as f64 / plain as f64;
    let level = level.map_or_else(|| "none".to_owned(), |level| level.to_string());
    let arrivals = LINES.map(|line| format!("{:.0}", 1e3 * arrival(ready, line)));
    println!(
        "| {level} | {share:.1} | {:.0} | {} |",
        1e3 * processor.as_secs_f64(),
        arrivals.join(" | ")
    );
}

/// Seconds until the last body has arrived: each is sent when it is ready and the one before it was sent.
fn arrival(ready: &[Ready], bits: f64) -> f64 {
    let mut ready = ready.to_vec();
    ready.sort_by_key(|ready| ready.after);
    ready.iter().fold(0.0, |line_is_free, ready| {
        let begin = ready.after.as_secs_f64().max(line_is_free);
        begin + ready.bytes as f64 * 8.0 / bits
    })
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Compresses bodies on all cores. Returns the time that it took on each core, added, and when each body was ready.
fn compress(bodies: &[Bytes], level: i32) -> Outcome<(Duration, Vec<Ready>)> {
    let next = AtomicUsize::new(0);
    // Time of the thread, which has a core of its own on a machine without other load.
    let work = || -> Outcome<(Duration, Vec<Ready>)> {
        let start = thread_time()?;
        let mut compressor = zstd::bulk::Compressor::new(level)?;
        let mut ready = Vec::new();
        while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
            let bytes = compressor.compress(body)?.len();
            let after = thread_time()?.saturating_sub(start);
            ready.push(Ready { after, bytes });
        }
        Ok((thread_time()?.saturating_sub(start), ready))
    };
    let done = thread::scope(|scope| {
        let started: Vec<_> = (0..threads()).map(|_| scope.spawn(work)).collect();
        let joined = started.into_iter().map(thread::ScopedJoinHandle::join);
        joined.collect::<Vec<_>>()
    });
    let (mut processor, mut ready) = (Duration::ZERO, Vec::new());
    for done in done {
        let (took, some) = done.map_err(|_| "a thread panicked")??;
        processor += took;
        ready.extend(some);
    }
    Ok((processor, ready))
}

/// The bodies of a batch.
fn bodies(loss: &Loss, random: &mut fastrand::Rng) -> Outcome<Vec<Bytes>> {
    let (rows, tokens, requests) = BATCH;
    let data: Vec<Datum> = (0..rows).map(|_| datum(loss, tokens, random)).collect();
    let parts = data.chunks(rows.div_ceil(requests));
    let body = |part: &[Datum]| {
        let pass = ForwardBackward::new("s-1:train:0".into(), 1, part.to_vec(), loss.clone());
        proto::encode_request(&pass)
    };
    Ok(parts.map(body).collect::<Result<_, _>>()?)
}

fn datum(loss: &Loss, tokens: usize, random: &mut fastrand::Rng) -> Datum {
    let ids = ids(tokens + 1, random);
    if *loss == Loss::cross_entropy() {
        return Datum::supervised(&ids[..1], &ids[1..]);
    }
    let targets: Vec<i64> = ids[1..].iter().map(|&id| i64::from(id)).collect();
    let logprobs: Vec<f32> = targets
        .iter()
        .map(|_| random.f32().ln().max(-30.0))
        .collect();
    Datum::new(ModelInput::from_tokens(ids[..tokens].to_vec()))
        .with_input("target_tokens", targets)
        .with_input("logprobs", logprobs)
        .with_input("advantages", vec![random.f32() - 0.5; tokens])
}
