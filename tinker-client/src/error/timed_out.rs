//! A caller's time limit that passed.

use std::fmt;
use std::time::Duration;

use crate::waiting::Waiting;

/// An operation that was not done within the time its caller gave it.
#[derive(Debug)]
pub struct TimedOut(Box<Inner>);

#[derive(Debug)]
struct Inner {
    method: &'static str,
    limit: Duration,
    waiting: Waiting,
    goes_on: bool,
}

impl TimedOut {
    pub(crate) fn new(
        method: &'static str,
        limit: Duration,
        waiting: Waiting,
        goes_on: bool,
    ) -> Self {
        Self(Box::new(Inner {
            method,
            limit,
            waiting,
            goes_on,
        }))
    }

    /// The public method, for example `SamplingClient.sample`.
    pub fn method(&self) -> &'static str {
        self.0.method
    }

    /// The time it was given.
    pub fn limit(&self) -> Duration {
        self.0.limit
    }

    /// What it waited for when the time was over, and since when.
    pub fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    /// Does it go on, without anybody to take its result? A sample is cancelled instead.
    pub fn goes_on(&self) -> bool {
        self.0.goes_on
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            method,
            limit,
            waiting,
            goes_on,
        } = &*self.0;
        let fate = if *goes_on {
            "it goes on without its caller"
        } else {
            "it was cancelled"
        };
        write!(
            f,
            "{method}: not done within {limit:?}; {fate}; it waited: {waiting}"
        )
    }
}

impl std::error::Error for TimedOut {}
