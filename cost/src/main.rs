//! Work of the client on one thread, to be counted: allocations by this program, instructions from outside.
//!
//! `cargo xtask cost` runs it and compares the counts with `cost/counts.txt`. Without arguments the program prints the
//! names of the work; with a name and a number it does the work that often, and prints allocations and allocated bytes.
#![expect(clippy::print_stdout, reason = "a program that measures")]

mod answer;
mod work;

use allocation_counter::measure;

use work::Work;

/// Work that is done before anything is counted.
const WARM_UP: u64 = 20;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for name in Work::NAMES {
            println!("{name}");
        }
        return Ok(());
    };
    let times: u64 = arguments.next().ok_or("how often?")?.parse()?;
    let work = Work::new(&name)?;
    repeat(&work, WARM_UP)?;
    let mut result = Ok(());
    let counted = measure(|| result = repeat(&work, times));
    println!("{} {}", counted.count_total, counted.bytes_total);
    result
}

fn repeat(work: &Work, times: u64) -> Outcome<()> {
    (0..times).try_for_each(|_| work.run())
}
