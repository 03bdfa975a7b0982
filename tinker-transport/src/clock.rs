//! Wall clock.
//!
//! Everything else uses `tokio::time`, which tests can pause. Wall-clock time is needed only to compare with dates from
//! a server: an HTTP date, the expiry of a token.

use std::time::SystemTime;

#[expect(
    clippy::disallowed_methods,
    reason = "the one reader of the wall clock in this crate"
)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
