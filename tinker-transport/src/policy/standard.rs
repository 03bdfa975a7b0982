//! The default policy, and one that never retries.

use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::disposition::{Disposition, Outcome};
use super::effort::Effort;
use super::rule::{Policy, Verdict};
use crate::error::Kind;
use crate::flow::class::{Class, PerClass};

/// The policy of the official client.
///
/// - retries 408, 409, 425, 429, 5xx, an empty 400, a failed connection, a timeout, and a body that broke off if the
///   call has it [read whole](crate::Call::whole);
/// - waits 1, 2, 4, 8, 16, 30, 30 ... seconds, or as long as the server requests, up to five minutes;
/// - stops 300 s after the start of the first attempt, and shortens the last wait to that limit;
/// - retries no other status unless the response has the header `x-should-retry: true`;
/// - gives up immediately if a circuit breaker refuses the request.
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

    tinker_types::setters! {
        /// Sets the waits.
        with_backoff(backoff: Backoff) => backoff = backoff;

        /// Sets the limit of 300 s; unlike [`Policy::with_time_limit`], this can also extend it.
        with_time_limit(limit: Duration) => time_limit = limit;
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

/// Never retries. For callers with their own loop: polling, heartbeats, telemetry.
///
/// Responses that the gate holds (429 on samples, 402 within the billing pause) are not failed attempts and are waited
/// out under this policy as well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Never;

impl Policy for Never {
    fn verdict(&self, _: &Effort, _: &Disposition) -> Verdict {
        Verdict::Stop
    }
}

/// [`Standard`], and [`Never`] for classes whose callers have their own loop.
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
