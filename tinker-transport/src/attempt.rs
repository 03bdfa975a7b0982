//! How often, and how long: facts about tries that layers hand to one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Attempts made and time spent on one call.
///
/// Policies decide by it, errors carry it, and every answer that went through the retry layer has
/// one among its extensions:
///
/// ```
/// # use tinker_transport::{Body, Effort};
/// # fn show(response: http::Response<Body>) {
/// if let Some(effort) = response.extensions().get::<Effort>() {
///     println!("{} attempts in {:?}", effort.attempts, effort.elapsed);
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Effort {
    /// Attempts finished so far. Tries the gate sent back (429 on samples, 402) do not count.
    pub attempts: u32,
    /// Time since the first attempt began, without the time spent waiting at the gate.
    pub elapsed: Duration,
}

impl Effort {
    /// An effort of `attempts` tries that took `elapsed` in all.
    pub fn new(attempts: u32, elapsed: Duration) -> Self {
        Self { attempts, elapsed }
    }
}

/// Request extension that tells a layer inside the retry layer which try it sees.
#[derive(Debug, Clone)]
pub struct Attempt {
    number: u32,
    tally: Arc<Tally>,
}

/// What all tries of one call share.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counted: AtomicU32,
    waited: AtomicU64,
}

impl Attempt {
    pub(crate) fn new(number: u32, tally: Arc<Tally>) -> Self {
        Self { number, tally }
    }

    /// 1 for the first try, one more for each that follows, counted or not.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Notes time the server asked the client to wait; it is not held against the call.
    pub(crate) fn add_wait(&self, waited: Duration) {
        self.tally
            .waited
            .fetch_add(waited.as_micros() as u64, Ordering::Relaxed);
    }
}

impl Tally {
    pub(crate) fn count(&self) -> u32 {
        self.counted.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn counted(&self) -> u32 {
        self.counted.load(Ordering::Relaxed)
    }

    pub(crate) fn set_waited(&self, waited: Duration) {
        self.waited
            .store(waited.as_micros() as u64, Ordering::Relaxed);
    }

    pub(crate) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited.load(Ordering::Relaxed))
    }
}
