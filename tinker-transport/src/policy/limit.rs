//! Decorators that end a policy sooner.

use std::time::Duration;

use super::{Disposition, Effort, Policy, Verdict};

/// A policy that begins no attempt after a time; see [`Policy::with_time_limit`].
#[derive(Debug, Clone)]
pub struct TimeLimited<P> {
    inner: P,
    limit: Duration,
}

impl<P> TimeLimited<P> {
    pub(super) fn new(inner: P, limit: Duration) -> Self {
        Self { inner, limit }
    }
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

/// A policy that makes only so many attempts; see [`Policy::with_attempt_limit`].
#[derive(Debug, Clone)]
pub struct AttemptLimited<P> {
    inner: P,
    limit: u32,
}

impl<P> AttemptLimited<P> {
    pub(super) fn new(inner: P, limit: u32) -> Self {
        Self { inner, limit }
    }
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
