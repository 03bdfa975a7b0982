//! Limits and timeouts of one class.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::flow::class::{Class, PerClass};

/// Limits and timeouts of one [`Class`].
///
/// | class | timeout | concurrent | bytes | per connection |
/// |---|---|---|---|---|
/// | session | 60 s | 64 | - | 50 |
/// | sample | 60 s | 400 | 10 MiB | 1,000 |
/// | train | 120 s | 32 | 50 MB | 1 |
/// | retrieve | 45 s | - | - | 1,000 |
/// | rest | 60 s | 32 | - | 50 |
/// | telemetry | 5 s | 4 | - | 50 |
///
/// The numbers are those of the official client, with three exceptions: it does not limit connections where no number
/// stands here; `train`, which uploads megabytes, gets twice the time; and it opens a connection for each 50 samples or
/// polls, even if the server accepts more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassLimits {
    /// Timeout of one attempt until the head of the response; also the longest gap within a body. A
    /// [`Call`](crate::Call) can set its own.
    pub timeout: Duration,
    /// Timeout for opening a connection, 10 s.
    pub connect_timeout: Duration,
    /// Concurrent calls, from admission to the head of the response. `None`: no limit.
    pub concurrency: Option<NonZeroUsize>,
    /// Total weight of concurrent calls, in bytes. `None`: no limit. A single heavier call takes all of it.
    pub bytes: Option<u32>,
    /// Concurrent requests per connection; another connection is opened when all are busy. A server with HTTP/2 that
    /// accepts fewer (`SETTINGS_MAX_CONCURRENT_STREAMS`) gets fewer.
    pub per_connection: NonZeroUsize,
}

/// Small requests on one connection. With 40 connections in place of one or two, 2,000 samples in flight cost a fifth more
/// processor time, as fewer of them share a TLS record and a call of the system.
const MANY: NonZeroUsize = count(1000);

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
                .with_bytes(10 * 1024 * 1024)
                .with_per_connection(MANY),
            Class::Train => base
                .with_timeout(Duration::from_mins(2))
                .with_concurrency(count(32))
                .with_bytes(50_000_000)
                .with_per_connection(count(1)),
            Class::Retrieve => base
                .with_timeout(Duration::from_secs(45))
                .with_per_connection(MANY),
            Class::Rest => base.with_concurrency(count(32)),
            Class::Telemetry => base
                .with_timeout(Duration::from_secs(5))
                .with_concurrency(count(4)),
        }
    }

    tinker_types::setters! {
        /// Sets the timeout of one attempt.
        with_timeout(timeout: Duration) => timeout = timeout;

        /// Sets the timeout for opening a connection.
        with_connect_timeout(timeout: Duration) => connect_timeout = timeout;

        /// Sets the number of concurrent calls.
        with_concurrency(calls: NonZeroUsize) => concurrency = Some(calls);

        /// Sets the total weight of concurrent calls in bytes.
        with_bytes(bytes: u32) => bytes = Some(bytes);

        /// Sets the number of concurrent requests per connection.
        with_per_connection(requests: NonZeroUsize) => per_connection = requests;
    }
}

impl Default for PerClass<ClassLimits> {
    fn default() -> Self {
        Self::from_fn(ClassLimits::of)
    }
}
