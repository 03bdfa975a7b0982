//! Shall we try again? Policies, apart from what happened and from what we can afford.
//!
//! Retrying is three questions in three places: [`Disposition`] says what happened, a [`Policy`]
//! says whether and when to try again, and the retry layer's budget says whether a whole process
//! can afford it. A policy is asked only when a repeat is harmless.

mod limit;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use crate::backoff::Backoff;
pub use crate::disposition::{Disposition, Outcome};
pub use crate::effort::Effort;
pub use crate::hint::{HINT_CAP, retry_after, should_retry};
pub use limit::{AttemptLimited, TimeLimited};

use crate::class::{Class, PerClass};
use crate::error::Kind;

/// Decides whether a failed attempt is followed by another.
///
/// Two questions, so that policies can be wrapped: [`with_time_limit`](Policy::with_time_limit)
/// and [`with_attempt_limit`](Policy::with_attempt_limit) do just that. Policies are shared and
/// keep no state of their own; what they need comes in as [`Effort`].
pub trait Policy: fmt::Debug + Send + Sync {
    /// Shall there be another attempt, and after what wait?
    ///
    /// `effort` counts the attempt that just ended.
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict;

    /// How much time is left for this call? A wait is cut down to it, so that the last attempt
    /// falls on the mark and not beyond. `None`: no limit.
    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        let _ = effort;
        None
    }

    /// The same, but no attempt begins later than `limit` after the first.
    fn with_time_limit(self, limit: Duration) -> TimeLimited<Self>
    where
        Self: Sized,
    {
        TimeLimited::new(self, limit)
    }

    /// The same, but at most `attempts` attempts in all, the first included.
    fn with_attempt_limit(self, attempts: u32) -> AttemptLimited<Self>
    where
        Self: Sized,
    {
        AttemptLimited::new(self, attempts)
    }
}

/// A policy's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Try again after this wait.
    Again(Duration),
    /// Give up: the last answer or error goes to the caller.
    Stop,
}

/// The policy of the official client.
///
/// - tries again after 408, 409, 425, 429, 5xx, an empty 400, a failed connection, a timeout, and
///   a body that broke off where the call has it [read whole](crate::Call::whole);
/// - waits 1, 2, 4, 8, 16, 30, 30 ... seconds, or what the server asks for up to five minutes;
/// - stops when 300 s have passed since the first attempt, and shortens the last wait to that mark;
/// - never repeats another status unless the server says `x-should-retry: true`;
/// - gives up at once where a circuit breaker refuses: to fail fast is what that is for.
///
/// ```
/// use std::time::Duration;
/// use tinker_transport::policy::{Policy, Standard};
///
/// let patient = Standard::new().with_time_limit(Duration::from_secs(3600));
/// let brief = Standard::new().with_attempt_limit(3);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Standard {
    backoff: Backoff,
    time_limit: Duration,
}

impl Standard {
    /// The schedule of the official client.
    pub fn new() -> Self {
        Self {
            backoff: Backoff::default(),
            time_limit: Duration::from_mins(5),
        }
    }

    /// Replaces the waits.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Replaces the 300 s; unlike [`Policy::with_time_limit`] this may also lengthen them.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    fn is_worth_repeating(disposition: &Disposition) -> bool {
        match disposition.outcome {
            Outcome::Throttled | Outcome::Transient(_) | Outcome::EdgeRejection => true,
            Outcome::Failed { kind, .. } => {
                matches!(
                    kind,
                    Kind::Connect | Kind::Timeout | Kind::Interrupted | Kind::Body
                )
            }
            Outcome::Refused(_) | Outcome::Success | Outcome::Held => false,
        }
    }
}

impl Default for Standard {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy for Standard {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        let worth = disposition
            .should_retry
            .unwrap_or_else(|| Self::is_worth_repeating(disposition));
        if !worth || effort.elapsed >= self.time_limit {
            return Verdict::Stop;
        }
        let wait = disposition
            .retry_after
            .unwrap_or_else(|| self.backoff.wait(effort.attempts.saturating_sub(1)));
        Verdict::Again(wait)
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        Some(self.time_limit.saturating_sub(effort.elapsed))
    }
}

/// No second attempt, for callers with a loop of their own: polling, heartbeats, telemetry.
///
/// What the gate holds back (429 on samples, 402 within the billing pause) is not a failed attempt
/// and is waited out under this policy, too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Never;

impl Policy for Never {
    fn verdict(&self, _: &Effort, _: &Disposition) -> Verdict {
        Verdict::Stop
    }
}

/// [`Standard`], and [`Never`] where whoever calls has a loop of its own.
impl Default for PerClass<Arc<dyn Policy>> {
    fn default() -> Self {
        Self::from_fn(|class| match class {
            Class::Retrieve | Class::Telemetry => Arc::new(Never),
            Class::Session | Class::Sample | Class::Train | Class::Rest => {
                Arc::new(Standard::new())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::answer;

    fn after(attempts: u32, seconds: u64, status: u16) -> Verdict {
        let effort = Effort::new(attempts, Duration::from_secs(seconds));
        Standard::new().verdict(&effort, &Disposition::of(&Ok(answer(status))))
    }

    #[test]
    fn standard_backs_off_and_ends_at_300_seconds() {
        assert_eq!(after(1, 0, 503), Verdict::Again(Duration::from_secs(1)));
        assert_eq!(after(4, 9, 429), Verdict::Again(Duration::from_secs(8)));
        assert_eq!(after(9, 299, 500), Verdict::Again(Duration::from_secs(30)));
        assert_eq!(after(9, 300, 500), Verdict::Stop);
    }

    #[test]
    fn standard_never_repeats_a_user_error() {
        for status in [401, 402, 403, 404, 410, 413, 422] {
            assert_eq!(after(1, 0, status), Verdict::Stop, "{status}");
        }
    }

    #[test]
    fn both_forms_of_retry_after_are_waited_out_to_the_second() {
        let now = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (hint, seconds) in [("7", 7), ("Sun, 06 Nov 1994 08:51:17 GMT", 100)] {
            let mut response = answer(503);
            let headers = response.headers_mut();
            headers.insert("retry-after", hint.parse().unwrap());
            let disposition = Disposition::at(&Ok(response), now);
            assert_eq!(
                Standard::new().verdict(&Effort::new(1, Duration::ZERO), &disposition),
                Verdict::Again(Duration::from_secs(seconds))
            );
        }
    }

    #[test]
    fn the_server_has_the_last_word() {
        let ask = |status, word: &str| {
            let mut response = answer(status);
            response
                .headers_mut()
                .insert("x-should-retry", word.parse().unwrap());
            let disposition = Disposition::of(&Ok(response));
            Standard::new().verdict(&Effort::new(1, Duration::ZERO), &disposition)
        };
        assert_eq!(ask(503, "false"), Verdict::Stop);
        assert_eq!(ask(404, "true"), Verdict::Again(Duration::from_secs(1)));
    }
}
