//! Exponential back-off.

use std::time::Duration;

/// Waits that double: `first * 2^n`, never above `cap`, optionally shortened at random.
///
/// ```
/// use std::time::Duration;
/// use tinker_transport::policy::Backoff;
///
/// let backoff = Backoff::default();
/// let waits: Vec<_> = (0..7).map(|n| backoff.wait(n).as_secs()).collect();
/// assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    jitter: f64,
}

impl Default for Backoff {
    /// 1, 2, 4, 8, 16, 30, 30 seconds, without jitter: the schedule of the official client.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(30))
    }
}

impl Backoff {
    /// Starts at `first` and doubles up to `cap`.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            jitter: 0.0,
        }
    }

    tinker_types::setters! {
        /// Shortens each wait by a random share of at most `share` (0 to 1), so that workers which lost the same server
        /// do not return at the same moment.
        with_jitter(share: f64) => jitter = share.clamp(0.0, 1.0);
    }

    /// The wait after `failures` earlier failures of this kind (0 for the first).
    pub fn wait(&self, failures: u32) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(failures.min(31)));
        let wait = doubled.min(self.cap);
        if self.jitter == 0.0 {
            wait
        } else {
            wait.mul_f64(1.0 - self.jitter * fastrand::f64())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_only_shortens_and_never_more_than_its_share() {
        let backoff = Backoff::default().with_jitter(0.25);
        let waits: Vec<_> = (0..1000).map(|_| backoff.wait(3).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (6.0..=8.0).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 7.0) && waits.iter().any(|wait| *wait > 7.0));
    }

    #[test]
    fn large_counts_do_not_overflow() {
        assert_eq!(Backoff::default().wait(u32::MAX), Duration::from_secs(30));
    }
}
