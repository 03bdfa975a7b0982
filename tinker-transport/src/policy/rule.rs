//! The policy trait and its decorators.

use std::fmt;
use std::time::Duration;

use super::disposition::Disposition;
use super::effort::Effort;

/// Decides whether another attempt follows a failed one.
///
/// The trait has two methods so that policies can be wrapped, as [`with_time_limit`](Policy::with_time_limit) and
/// [`with_attempt_limit`](Policy::with_attempt_limit) do. Policies are shared and keep no state; all they need is in
/// [`Effort`].
pub trait Policy: fmt::Debug + Send + Sync {
    /// Whether another attempt follows, and after which wait.
    ///
    /// `effort` counts the attempt that just ended.
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict;

    /// Time left for this call. A wait is shortened to it, so that the last attempt starts no later. `None`: no limit.
    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        let _ = effort;
        None
    }

    /// Starts no attempt later than `limit` after the first.
    fn with_time_limit(self, limit: Duration) -> TimeLimited<Self>
    where
        Self: Sized,
    {
        TimeLimited { inner: self, limit }
    }

    /// Makes at most `attempts` attempts, including the first.
    fn with_attempt_limit(self, attempts: u32) -> AttemptLimited<Self>
    where
        Self: Sized,
    {
        AttemptLimited {
            inner: self,
            limit: attempts,
        }
    }
}

/// Decision of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Retry after this wait.
    Again(Duration),
    /// Give up: the last response or error is returned to the caller.
    Stop,
}

/// A policy that starts no attempt after a time limit; see [`Policy::with_time_limit`].
#[derive(Debug, Clone)]
pub struct TimeLimited<P> {
    inner: P,
    limit: Duration,
}

impl<P: Policy> Policy for TimeLimited<P> {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        if effort.elapsed >= self.limit {
            Verdict::Stop
        } else {
            self.inner.verdict(effort, disposition)
        }
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        let ours = self.limit.saturating_sub(effort.elapsed);
        Some(
            self.inner
                .remaining_time(effort)
                .map_or(ours, |theirs| theirs.min(ours)),
        )
    }
}

/// A policy with a limit on attempts; see [`Policy::with_attempt_limit`].
#[derive(Debug, Clone)]
pub struct AttemptLimited<P> {
    inner: P,
    limit: u32,
}

impl<P: Policy> Policy for AttemptLimited<P> {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        if effort.attempts >= self.limit {
            Verdict::Stop
        } else {
            self.inner.verdict(effort, disposition)
        }
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        self.inner.remaining_time(effort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::answer;
    use crate::policy::Standard;

    #[test]
    fn the_tighter_limit_wins() {
        let unavailable = Disposition::of(&Ok(answer(503)));
        let effort = |attempts, seconds| Effort::new(attempts, Duration::from_secs(seconds));
        let policy =
            Policy::with_time_limit(Standard::new(), Duration::from_secs(10)).with_attempt_limit(3);

        assert_eq!(
            policy.verdict(&effort(2, 9), &unavailable),
            Verdict::Again(Duration::from_secs(2))
        );
        assert_eq!(policy.verdict(&effort(3, 0), &unavailable), Verdict::Stop);
        assert_eq!(policy.verdict(&effort(1, 10), &unavailable), Verdict::Stop);
        assert_eq!(
            policy.remaining_time(&effort(1, 4)),
            Some(Duration::from_secs(6))
        );

        let longer = Policy::with_time_limit(Standard::new(), Duration::from_secs(9999));
        assert_eq!(
            longer.remaining_time(&effort(1, 100)),
            Some(Duration::from_secs(200))
        );
    }
}
