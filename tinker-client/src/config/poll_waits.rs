//! Waits between polls.

use std::time::Duration;

use tinker_transport::policy::Backoff;

/// Waits between the polls for the result of an operation. The defaults are those of the official client.
///
/// A server that holds its polls open is polled again at once. The waits matter for servers that answer at once, and
/// after failures; tests of failures set them to a millisecond.
///
/// ```
/// use std::time::Duration;
///
/// use tinker_client::transport::policy::Backoff;
/// use tinker_client::{Config, PollWaits};
///
/// let short = Backoff::new(Duration::from_millis(1), Duration::from_millis(5));
/// let config = Config::new("http://localhost:8000").with_poll_waits(PollWaits::all(short));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PollWaits {
    /// After the answer that there is no result yet, if it came in less than 250 ms. Default: 20 ms, doubled up to 1 s.
    pub not_ready: Backoff,
    /// After a server error (5xx). Default: 20 ms, doubled up to 10 s.
    pub server_error: Backoff,
    /// After a lost connection, a poll without an answer, or a 429. Default: 1 s, doubled up to 30 s.
    pub unreachable: Backoff,
}

impl PollWaits {
    /// The same waits in all cases.
    pub const fn all(waits: Backoff) -> Self {
        Self {
            not_ready: waits,
            server_error: waits,
            unreachable: waits,
        }
    }
}

impl Default for PollWaits {
    fn default() -> Self {
        let first = Duration::from_millis(20);
        Self {
            not_ready: Backoff::new(first, Duration::from_secs(1)),
            server_error: Backoff::new(first, Duration::from_secs(10)),
            unreachable: Backoff::default(),
        }
    }
}
