//! The one place that reads the wall clock.
//!
//! Everything else measures with `tokio::time`, so that a test can pause it. Wall-clock time is
//! needed only to compare with dates a server sent: an HTTP date, the expiry of a token.

use std::time::SystemTime;

#[expect(
    clippy::disallowed_methods,
    reason = "the one reader of the wall clock in this crate"
)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
