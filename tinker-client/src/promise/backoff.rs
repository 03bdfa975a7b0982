//! Polling back-off.

use std::time::Duration;

use tinker_transport::policy::Backoff;
use tokio::time::Instant;

use crate::config::poll_waits::PollWaits;

/// Shortest duration of a long poll. A poll that was answered sooner is followed by a pause, because polling again
/// at once would flood a server that does not hold polls.
const LONG_POLL_MIN: Duration = Duration::from_millis(250);

/// Number of 400, 409 and 425 answers after which polling continues.
const BAD_REQUESTS: u32 = 3;

/// Failure counters of one promise, and the pause before its next poll.
#[derive(Debug)]
pub(crate) struct PollBackoff {
    /// Consecutive answers sooner than a long poll.
    quick: u32,
    /// Consecutive 429 answers and lost connections.
    failures: u32,
    bad_requests: u32,
    lost_since: Option<Instant>,
    /// Longest time that the server may be unreachable.
    limit: Duration,
    waits: PollWaits,
}

impl PollBackoff {
    /// A back-off that gives up after the server was unreachable for `limit`. Other failures have no limit in time.
    pub(crate) fn new(limit: Duration, waits: PollWaits) -> Self {
        Self {
            quick: 0,
            failures: 0,
            bad_requests: 0,
            lost_since: None,
            limit,
            waits,
        }
    }

    /// Sets the instant since which the server has been unreachable.
    pub(crate) fn lost_since(&mut self, since: Instant) {
        self.lost_since = Some(since);
    }

    /// The pause after a "not ready" answer; `took` is the duration of the poll.
    pub(crate) fn not_yet(&mut self, took: Duration) -> Duration {
        self.answered();
        self.pause(took, self.waits.not_ready)
    }

    /// Resets the count of 400 answers, after a 408 with an explanation.
    pub(crate) fn forgive(&mut self) {
        self.bad_requests = 0;
    }

    /// The pause after a 5xx answer.
    pub(crate) fn server_error(&mut self, took: Duration) -> Duration {
        self.answered();
        self.pause(took, self.waits.server_error)
    }

    /// The pause after a 400, 409 or 425. These make no sense for reading a result and may come from a proxy. `None`
    /// after too many of them.
    pub(crate) fn bad_request(&mut self, took: Duration) -> Option<Duration> {
        self.answered();
        self.bad_requests += 1;
        (self.bad_requests <= BAD_REQUESTS).then(|| self.pause(took, self.waits.not_ready))
    }

    /// The pause after a 429.
    pub(crate) fn throttled(&mut self) -> Duration {
        self.lost_since = None;
        self.back_off()
    }

    /// The pause after a poll that timed out. A timeout alone does not count as unreachable: the server may be slow.
    /// `None` if the server had been unreachable for too long.
    pub(crate) fn timed_out(&mut self) -> Option<Duration> {
        let wait = self.back_off();
        let left = self.limit.saturating_sub(self.lost_for());
        // The last poll is made exactly at the limit.
        match self.lost_since {
            Some(_) => (!left.is_zero()).then(|| wait.min(left)),
            None => Some(wait),
        }
    }

    /// The pause after a lost connection. `None` if the server was unreachable for too long.
    pub(crate) fn lost(&mut self) -> Option<Duration> {
        self.lost_since.get_or_insert_with(Instant::now);
        self.timed_out()
    }

    /// Time for which the server has been unreachable.
    pub(crate) fn lost_for(&self) -> Duration {
        self.lost_since
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn answered(&mut self) {
        self.failures = 0;
        self.lost_since = None;
    }

    fn back_off(&mut self) -> Duration {
        let wait = self.waits.unreachable.wait(self.failures);
        self.failures += 1;
        wait
    }

    fn pause(&mut self, took: Duration, pauses: Backoff) -> Duration {
        if took >= LONG_POLL_MIN {
            self.quick = 0;
            return Duration::ZERO;
        }
        self.quick += 1;
        pauses.wait(self.quick - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn new() -> PollBackoff {
        PollBackoff::new(ms(8000), PollWaits::default())
    }

    #[test]
    fn a_server_that_holds_polls_is_asked_again_at_once() {
        let mut backoff = new();
        assert_eq!(backoff.not_yet(ms(0)), ms(20));
        assert_eq!(backoff.not_yet(ms(3)), ms(40));
        assert_eq!(backoff.not_yet(ms(30_000)), ms(0));
        assert_eq!(backoff.not_yet(ms(0)), ms(20));
        for _ in 0..20 {
            backoff.not_yet(ms(0));
        }
        assert_eq!(backoff.not_yet(ms(0)), ms(1000));
        assert_eq!(backoff.server_error(ms(0)), ms(10_000));
    }

    #[test]
    fn the_waits_are_those_of_the_settings() {
        let waits = PollWaits::all(Backoff::new(ms(1), ms(3)));
        let mut backoff = PollBackoff::new(ms(8000), waits);
        assert_eq!(backoff.not_yet(ms(0)), ms(1));
        assert_eq!(backoff.server_error(ms(0)), ms(2));
        for wait in [1, 2, 3, 3] {
            assert_eq!(backoff.throttled(), ms(wait));
        }
    }

    #[test]
    fn throttling_and_lost_connections_share_one_back_off() {
        let mut backoff = new();
        assert_eq!(backoff.throttled(), ms(1000));
        assert_eq!(backoff.lost(), Some(ms(2000)));
        assert_eq!(backoff.timed_out(), Some(ms(4000)));
        backoff.server_error(ms(0));
        assert_eq!(backoff.throttled(), ms(1000));
    }

    #[test]
    fn the_fourth_400_is_one_too_many_unless_forgiven() {
        let mut backoff = new();
        for _ in 0..3 {
            assert!(backoff.bad_request(ms(300)).is_some());
        }
        backoff.not_yet(ms(300));
        assert!(backoff.bad_request(ms(300)).is_none());
        backoff.forgive();
        assert!(backoff.bad_request(ms(300)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn only_lost_connections_count_as_lost() {
        let mut backoff = new();
        assert_eq!(backoff.timed_out(), Some(ms(1000)));
        tokio::time::advance(ms(60_000)).await;
        assert_eq!(backoff.lost(), Some(ms(2000)));
        tokio::time::advance(ms(5000)).await;
        assert_eq!(backoff.timed_out(), Some(ms(3000)), "cut to the limit");
        tokio::time::advance(ms(3000)).await;
        assert_eq!((backoff.lost(), backoff.lost_for()), (None, ms(8000)));
        backoff.throttled();
        assert_eq!(backoff.lost_for(), ms(0));
    }
}
