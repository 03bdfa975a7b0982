//! Expired time limits.

use std::fmt;
use std::time::Duration;

use crate::operation::waiting::Waiting;

/// An operation that did not end within its time limit.
#[derive(Debug)]
pub struct TimedOut(Box<Inner>);

#[derive(Debug)]
struct Inner {
    method: &'static str,
    limit: Duration,
    waiting: Waiting,
    continues: bool,
}

impl TimedOut {
    pub(crate) fn new(
        method: &'static str,
        limit: Duration,
        waiting: Waiting,
        continues: bool,
    ) -> Self {
        Self(Box::new(Inner {
            method,
            limit,
            waiting,
            continues,
        }))
    }

    /// The public method, for example `SamplingClient.sample`.
    pub fn method(&self) -> &'static str {
        self.0.method
    }

    /// The time limit.
    pub fn limit(&self) -> Duration {
        self.0.limit
    }

    /// The reason for which it was waiting when the limit expired.
    pub fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    /// Whether the operation continues. A sample is cancelled instead.
    pub fn continues(&self) -> bool {
        self.0.continues
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            method,
            limit,
            waiting,
            continues,
        } = &*self.0;
        let outcome = if *continues {
            "it continues"
        } else {
            "it was cancelled"
        };
        write!(
            f,
            "{method}: not done within {limit:?}; {outcome}; it was waiting for: {waiting}"
        )
    }
}

impl std::error::Error for TimedOut {}
