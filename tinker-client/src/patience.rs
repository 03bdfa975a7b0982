//! How long to go on asking for a promised result.

use std::time::Duration;

use tinker_transport::policy::Backoff;
use tokio::time::Instant;

/// A server that holds polls answers no sooner than this; one that answers sooner is given a rest
/// before the next poll, because asking at once would flood it.
const HELD: Duration = Duration::from_millis(250);
const REST: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
const REST_AFTER_ERROR: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(10));

/// Refusals with 400, 409 or 425 that are asked about again.
const BAD_REQUESTS: u32 = 3;

/// Counts what went wrong while one promise is asked for.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Answers in a row that came at once.
    hurried: u32,
    /// Failures in a row to get any proper answer: 429, lost connections.
    failures: u32,
    bad_requests: u32,
    lost_since: Option<Instant>,
    /// How long a lost server is waited for.
    limit: Duration,
}

impl Patience {
    /// Waits for a lost server no longer than `limit`, and for everything else for ever.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            hurried: 0,
            failures: 0,
            bad_requests: 0,
            lost_since: None,
            limit,
        }
    }

    /// The server has been lost since then.
    pub(crate) fn lost_since(&mut self, since: Instant) {
        self.lost_since = Some(since);
    }

    /// The server says "not yet"; `took` is how long the poll took. How long to rest?
    pub(crate) fn not_yet(&mut self, took: Duration) -> Duration {
        self.heard();
        self.rest(took, REST)
    }

    /// The server says so with a 408 that explains itself, which forgives earlier 400s.
    pub(crate) fn forgive(&mut self) {
        self.bad_requests = 0;
    }

    /// The server had an error of its own.
    pub(crate) fn server_error(&mut self, took: Duration) -> Duration {
        self.heard();
        self.rest(took, REST_AFTER_ERROR)
    }

    /// The server answered 400, or 409 or 425, which for reading a result make no sense and may come
    /// from in between. `None`: once too often.
    pub(crate) fn bad_request(&mut self, took: Duration) -> Option<Duration> {
        self.heard();
        self.bad_requests += 1;
        (self.bad_requests <= BAD_REQUESTS).then(|| self.rest(took, REST))
    }

    /// The server wants fewer polls.
    pub(crate) fn throttled(&mut self) -> Duration {
        self.lost_since = None;
        self.back_off()
    }

    /// A poll ran out of time. The server may only be slow, so this alone never counts as lost.
    /// `None`: it had been lost for too long.
    pub(crate) fn timed_out(&mut self) -> Option<Duration> {
        let wait = self.back_off();
        let left = self.limit.saturating_sub(self.lost_for());
        // The last poll falls on the mark, not beyond it.
        match self.lost_since {
            Some(_) => (!left.is_zero()).then(|| wait.min(left)),
            None => Some(wait),
        }
    }

    /// The server could not be reached. `None`: for too long.
    pub(crate) fn lost(&mut self) -> Option<Duration> {
        self.lost_since.get_or_insert_with(Instant::now);
        self.timed_out()
    }

    /// How long the server has been lost.
    pub(crate) fn lost_for(&self) -> Duration {
        self.lost_since
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn heard(&mut self) {
        self.failures = 0;
        self.lost_since = None;
    }

    fn back_off(&mut self) -> Duration {
        let wait = Backoff::default().wait(self.failures);
        self.failures += 1;
        wait
    }

    fn rest(&mut self, took: Duration, rest: Backoff) -> Duration {
        if took >= HELD {
            self.hurried = 0;
            return Duration::ZERO;
        }
        self.hurried += 1;
        rest.wait(self.hurried - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn patience() -> Patience {
        Patience::new(ms(8000))
    }

    #[test]
    fn a_server_that_holds_polls_is_asked_again_at_once() {
        let mut patience = patience();
        assert_eq!(patience.not_yet(ms(0)), ms(20));
        assert_eq!(patience.not_yet(ms(3)), ms(40));
        assert_eq!(patience.not_yet(ms(30_000)), ms(0));
        assert_eq!(patience.not_yet(ms(0)), ms(20));
        for _ in 0..20 {
            patience.not_yet(ms(0));
        }
        assert_eq!(patience.not_yet(ms(0)), ms(1000));
        assert_eq!(patience.server_error(ms(0)), ms(10_000));
    }

    #[test]
    fn throttling_and_lost_connections_share_one_back_off() {
        let mut patience = patience();
        assert_eq!(patience.throttled(), ms(1000));
        assert_eq!(patience.lost(), Some(ms(2000)));
        assert_eq!(patience.timed_out(), Some(ms(4000)));
        patience.server_error(ms(0));
        assert_eq!(patience.throttled(), ms(1000));
    }

    #[test]
    fn the_fourth_400_is_one_too_many_unless_forgiven() {
        let mut patience = patience();
        for _ in 0..3 {
            assert!(patience.bad_request(ms(300)).is_some());
        }
        patience.not_yet(ms(300));
        assert!(patience.bad_request(ms(300)).is_none());
        patience.forgive();
        assert!(patience.bad_request(ms(300)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn only_lost_connections_count_as_lost() {
        let mut patience = patience();
        assert_eq!(patience.timed_out(), Some(ms(1000)));
        tokio::time::advance(ms(60_000)).await;
        assert_eq!(patience.lost(), Some(ms(2000)));
        tokio::time::advance(ms(5000)).await;
        assert_eq!(patience.timed_out(), Some(ms(3000)), "cut down to the mark");
        tokio::time::advance(ms(3000)).await;
        assert_eq!((patience.lost(), patience.lost_for()), (None, ms(8000)));
        patience.throttled();
        assert_eq!(patience.lost_for(), ms(0));
    }
}
