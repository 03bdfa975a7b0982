//! The record of calls and executions, which finds work that is done twice. Its size is fixed, so that it does not show in
//! measurements of memory.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::executed::Executed;

/// A step's learning rate is its number times this.
const RATE_OF_STEP: f64 = 1e-9;

/// Calls of one kind, numbered from 1.
#[derive(Debug)]
struct Calls {
    started: AtomicUsize,
    good: AtomicUsize,
    /// For each call the last life in which it was executed, or 0.
    executed: Vec<AtomicU8>,
    /// For each call the life in which its result arrived, or 0.
    acknowledged: Vec<AtomicU8>,
}

impl Calls {
    fn new(capacity: usize) -> Self {
        let zeros = || (0..capacity).map(|_| AtomicU8::new(0)).collect();
        Self {
            started: AtomicUsize::new(0),
            good: AtomicUsize::new(0),
            executed: zeros(),
            acknowledged: zeros(),
        }
    }

    fn start(&self) -> Option<usize> {
        let number = self.started.load(Ordering::SeqCst);
        if number == self.executed.len() {
            return None;
        }
        self.started.store(number + 1, Ordering::SeqCst);
        Some(number + 1)
    }

    fn figures(&self) -> Figures {
        let executed = self.executed.iter();
        Figures {
            started: self.started.load(Ordering::SeqCst),
            good: self.good.load(Ordering::SeqCst),
            executed: executed
                .filter(|life| life.load(Ordering::SeqCst) > 0)
                .count(),
        }
    }
}

/// Numbers of calls of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Calls that were started.
    pub started: usize,
    /// Calls whose result arrived.
    pub good: usize,
    /// Calls that a server executed, in one life or in several.
    pub executed: usize,
}

/// The calls of one client, and the executions of its servers.
#[derive(Debug)]
pub struct Ledger {
    samples: Calls,
    steps: Calls,
    life: AtomicU8,
    doubles: Mutex<Vec<String>>,
}

impl Ledger {
    /// For at most as many samples and steps.
    pub fn new(samples: usize, steps: usize) -> Self {
        Self {
            samples: Calls::new(samples),
            steps: Calls::new(steps),
            life: AtomicU8::new(0),
            doubles: Mutex::default(),
        }
    }

    /// Counts the next life of the server.
    pub fn begin_life(&self) -> u8 {
        self.life.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The seed of the next sample; `None` if there are enough.
    pub fn start_sample(&self) -> Option<usize> {
        self.samples.start()
    }

    /// The number of the next step; `None` if there are enough.
    pub fn start_step(&self) -> Option<usize> {
        self.steps.start()
    }

    /// The learning rate that marks a step.
    pub fn rate(step: usize) -> f64 {
        step as f64 * RATE_OF_STEP
    }

    /// Notes the result of a sample.
    pub fn acknowledge_sample(&self, number: usize) {
        self.acknowledge(&self.samples, number);
    }

    /// Notes the result of a step.
    pub fn acknowledge_step(&self, number: usize) {
        self.acknowledge(&self.steps, number);
    }

    fn acknowledge(&self, calls: &Calls, number: usize) {
        calls.good.fetch_add(1, Ordering::SeqCst);
        let life = self.life.load(Ordering::SeqCst);
        calls.acknowledged[number - 1].store(life, Ordering::SeqCst);
    }

    /// Notes what a server executed in its life.
    ///
    /// A sample may be drawn again in another life, as its promise was lost with the server, but not in the same one, and
    /// not after its result arrived. A step may be executed once.
    pub fn execute(&self, executed: Executed, life: u8) {
        let (calls, number, name) = match executed {
            Executed::Pass => return,
            Executed::Sample { seed } => {
                let number = seed.and_then(|seed| usize::try_from(seed).ok());
                (&self.samples, number.unwrap_or(0), "sample")
            }
            Executed::Step { learning_rate } => {
                let number = (learning_rate / RATE_OF_STEP).round();
                (&self.steps, number as usize, "step")
            }
        };
        let index = number.checked_sub(1);
        let slot = index.and_then(|index| Some((calls.executed.get(index)?, index)));
        let Some((last, index)) = slot else {
            return self.report(format!("{name} {number} was executed and never called"));
        };
        let before = last.swap(life, Ordering::SeqCst);
        let acknowledged = calls.acknowledged[index].load(Ordering::SeqCst);
        let is_step = matches!(executed, Executed::Step { .. });
        if before == life || (is_step && before > 0) {
            self.report(format!(
                "{name} {number} was executed in life {before} and in life {life}"
            ));
        }
        if acknowledged > 0 && acknowledged < life {
            self.report(format!(
                "{name} {number} was executed in life {life} after its result had arrived in life {acknowledged}"
            ));
        }
    }

    fn report(&self, double: String) {
        let mut doubles = self.doubles.lock().unwrap_or_else(PoisonError::into_inner);
        doubles.push(double);
    }

    /// Descriptions of work that was done twice.
    pub fn doubles(&self) -> Vec<String> {
        let doubles = self.doubles.lock().unwrap_or_else(PoisonError::into_inner);
        doubles.clone()
    }

    /// Numbers of samples.
    pub fn samples(&self) -> Figures {
        self.samples.figures()
    }

    /// Numbers of steps.
    pub fn steps(&self) -> Figures {
        self.steps.figures()
    }
}
