//! The only place of the HTTP half that reads a clock.
//!
//! Results and sessions age in real time even under a paused test clock, and the worker threads that stamp them
//! belong to no runtime, so tokio's clock does not fit here.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A point of the monotonic clock, for ages and time slices.
#[expect(clippy::disallowed_methods, reason = "the named place of this crate")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The calendar time, for what people read and for lifetimes that outlast the process.
pub(crate) fn calendar() -> Timestamp {
    Timestamp::now()
}

/// The calendar time after `span`, as far as the calendar goes.
pub(crate) fn calendar_after(span: Duration) -> Timestamp {
    calendar().saturating_add(span).unwrap_or(Timestamp::MAX)
}
