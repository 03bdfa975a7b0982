//! Limits and times of one class.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::class::{Class, PerClass};

/// Limits and times of one [`Class`].
///
/// | class | timeout | at once | bytes | per connection |
/// |---|---|---|---|---|
/// | session | 60 s | 64 | - | 50 |
/// | sample | 60 s | 400 | 10 MiB | 50 |
/// | train | 120 s | 32 | 50 MB | 1 |
/// | retrieve | 45 s | - | - | 50 |
/// | rest | 60 s | 32 | - | 50 |
/// | telemetry | 5 s | 4 | - | 50 |
///
/// The numbers are those of the official client, except that it opens connections without end
/// where there is no number here, and that `train`, which uploads megabytes, gets twice the time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassLimits {
    /// Time one attempt may take until the head of the answer is there; also the longest silence
    /// allowed within a body. A [`Call`](crate::Call) may bring its own.
    pub timeout: Duration,
    /// Time to open a connection, 10 s.
    pub connect_timeout: Duration,
    /// Calls under way at once, from admission to the head of the answer. `None`: no limit.
    pub concurrency: Option<NonZeroUsize>,
    /// Weight of the calls under way at once, in bytes. `None`: no limit. A single call heavier
    /// than this takes all of it.
    pub bytes: Option<u32>,
    /// Requests one connection may carry at the same time; another is opened when all are busy.
    pub per_connection: NonZeroUsize,
}

const fn count(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl ClassLimits {
    /// The defaults of a class, as in the table above.
    pub fn of(class: Class) -> Self {
        let base = Self {
            timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(10),
            concurrency: None,
            bytes: None,
            per_connection: count(50),
        };
        match class {
            Class::Session => base.with_concurrency(count(64)),
            Class::Sample => base
                .with_concurrency(count(400))
                .with_bytes(10 * 1024 * 1024),
            Class::Train => base
                .with_timeout(Duration::from_mins(2))
                .with_concurrency(count(32))
                .with_bytes(50_000_000)
                .with_per_connection(count(1)),
            Class::Retrieve => base.with_timeout(Duration::from_secs(45)),
            Class::Rest => base.with_concurrency(count(32)),
            Class::Telemetry => base
                .with_timeout(Duration::from_secs(5))
                .with_concurrency(count(4)),
        }
    }

    /// Sets the time of one attempt.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time to open a connection.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how many calls may be under way.
    #[must_use]
    pub fn with_concurrency(mut self, calls: NonZeroUsize) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// Sets how many bytes may be under way.
    #[must_use]
    pub fn with_bytes(mut self, bytes: u32) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Sets how many requests share a connection.
    #[must_use]
    pub fn with_per_connection(mut self, requests: NonZeroUsize) -> Self {
        self.per_connection = requests;
        self
    }
}

impl Default for PerClass<ClassLimits> {
    fn default() -> Self {
        Self::from_fn(ClassLimits::of)
    }
}
