//! Clocks. No other file of this crate reads one.
//!
//! Results and sessions age in real time even under a paused test clock, and the worker threads that stamp them
//! belong to no runtime, so tokio's clock does not fit here.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The monotonic clock, for ages and time slices.
#[expect(clippy::disallowed_methods, reason = "the one file that reads a clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The calendar time, for people and for lifetimes that outlast the process.
pub(crate) fn calendar() -> Timestamp {
    Timestamp::now()
}

/// The calendar time after `span`, at most the last one that can be represented.
pub(crate) fn calendar_after(span: Duration) -> Timestamp {
    calendar().saturating_add(span).unwrap_or(Timestamp::MAX)
}
