//! Adaptive concurrency limit.

use std::time::Duration;

use tokio::time::Instant;

/// Factor applied to the limit after a sign of overload.
const DECREASE: f64 = 0.9;
/// Ratio of the mean response time to the best recent one above which the server counts as overloaded.
const TOLERANCE: f64 = 1.25;
/// Rounds after which the best time is measured again.
const EPOCH: u32 = 30;
/// Share of the limit during that measurement.
const PROBE: f64 = 0.5;

/// Additive increase, multiplicative decrease of a concurrency limit.
///
/// The rule is that of TCP (D.-M. Chiu and R. Jain, 1989), applied once per mean response time as
/// in Vector's adaptive request concurrency (vectordotdev RFC 1858, 2020):
/// - an overload response, or a mean time well above the recent best, reduces the limit by a tenth;
/// - a round that reached the limit and was not slow adds one;
/// - otherwise the limit stays, since an unused limit shows nothing about the server.
///
/// Vector compares with a running mean, which follows a slowly growing limit and so never detects a server's knee. Here
/// the best time is a minimum that is measured again from time to time at half the load, as in BBR (N. Cardwell et al.,
/// 2016).
#[derive(Debug)]
pub(crate) struct Aimd {
    limit: f64,
    bounds: (usize, usize),
    /// Best mean time of this epoch, in seconds.
    best: f64,
    phase: Phase,
    round: Round,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Rounds since the best time was measured.
    Running(u32),
    /// Half the load; requests that end now began under more.
    Draining,
    /// Half the load only.
    Measuring,
}

/// Observations since the last adjustment.
#[derive(Debug)]
struct Round {
    ends: Instant,
    sum: f64,
    count: u32,
    was_overloaded: bool,
    was_reached: bool,
}

impl Round {
    fn new(ends: Instant) -> Self {
        Self {
            ends,
            sum: 0.0,
            count: 0,
            was_overloaded: false,
            was_reached: false,
        }
    }
}

impl Aimd {
    /// Starts at `limit` and stays within the bounds.
    pub(crate) fn new(limit: usize, least: usize, most: usize) -> Self {
        let least = least.max(1);
        let most = most.max(least);
        Self {
            limit: limit.clamp(least, most) as f64,
            bounds: (least, most),
            best: f64::INFINITY,
            phase: Phase::Running(0),
            round: Round::new(Instant::now()),
        }
    }

    /// The current limit.
    pub(crate) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Requests allowed now: fewer than the limit while the best time is measured.
    pub(crate) fn allowed(&self) -> usize {
        match self.phase {
            Phase::Running(_) => self.limit(),
            Phase::Draining | Phase::Measuring => {
                ((self.limit * PROBE) as usize).max(self.bounds.0)
            }
        }
    }

    /// Records that this many requests are in flight.
    pub(crate) fn started(&mut self, under_way: usize) {
        self.round.was_reached |= under_way >= self.allowed();
    }

    /// Records the end of a request, and adjusts the limit at the end of a round.
    pub(crate) fn ended(&mut self, took: Duration, is_overloaded: bool) {
        self.round.was_overloaded |= is_overloaded;
        self.round.sum += took.as_secs_f64();
        self.round.count += 1;
        if Instant::now() >= self.round.ends {
            self.think();
        }
    }

    fn think(&mut self) {
        let mean = self.round.sum / f64::from(self.round.count.max(1));
        let is_slow = mean > self.best * TOLERANCE;
        let (is_running, next) = match self.phase {
            Phase::Running(EPOCH..) => (true, Phase::Draining),
            Phase::Running(rounds) => (true, Phase::Running(rounds + 1)),
            Phase::Draining => (false, Phase::Measuring),
            Phase::Measuring => {
                self.best = mean;
                (false, Phase::Running(0))
            }
        };
        if self.round.was_overloaded || is_running && is_slow {
            self.limit = (self.limit * DECREASE).floor();
        } else if is_running && self.round.was_reached {
            self.limit += 1.0;
        }
        self.limit = self.limit.clamp(self.bounds.0 as f64, self.bounds.1 as f64);
        self.best = self.best.min(mean);
        self.phase = next;
        self.round = Round::new(Instant::now() + Duration::from_secs_f64(mean));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of one second, in each of which a server that sustains `capacity` requests is loaded to
    /// the limit: beyond it, times grow in proportion.
    async fn rounds(aimd: &mut Aimd, capacity: usize, second: f64, count: usize) -> Vec<usize> {
        let mut limits = Vec::new();
        for _ in 0..count {
            let load = aimd.allowed();
            aimd.started(load);
            let factor = (load as f64 / capacity as f64).max(1.0);
            let took = Duration::from_secs_f64(factor * second);
            tokio::time::advance(took).await;
            for _ in 0..load {
                aimd.ended(took, false);
            }
            limits.push(aimd.limit());
        }
        limits
    }

    #[tokio::test(start_paused = true)]
    async fn it_climbs_one_by_one_and_stays_near_what_the_server_bears() {
        let mut aimd = Aimd::new(4, 1, 400);
        let limits = rounds(&mut aimd, 20, 1.0, 1000).await;
        assert_eq!(limits[..3], [5, 6, 7]);
        let late = &limits[50..];
        let is_near = |limit: &usize| (18..=27).contains(limit);
        assert!(late.iter().all(is_near), "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_becomes_slower_for_good_is_understood() {
        let mut aimd = Aimd::new(20, 1, 400);
        rounds(&mut aimd, 20, 1.0, 100).await;
        let limits = rounds(&mut aimd, 20, 3.0, 100).await;
        assert!(limits[60..].iter().all(|limit| *limit >= 15), "{limits:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_overloaded_answer_takes_a_tenth_once_a_round() {
        let mut aimd = Aimd::new(100, 1, 400);
        tokio::time::advance(Duration::from_secs(1)).await;
        aimd.ended(Duration::from_secs(1), true);
        assert_eq!(aimd.limit(), 90);
        aimd.ended(Duration::from_secs(1), true);
        assert_eq!(aimd.limit(), 90, "the same storm");
        tokio::time::advance(Duration::from_secs(1)).await;
        aimd.ended(Duration::from_secs(1), false);
        assert_eq!(aimd.limit(), 81, "it counts for the round it fell in");
    }

    #[tokio::test(start_paused = true)]
    async fn idle_traffic_moves_nothing_and_the_bounds_hold() {
        let mut aimd = Aimd::new(10, 8, 12);
        for _ in 0..20 {
            aimd.started(3);
            tokio::time::advance(Duration::from_secs(1)).await;
            aimd.ended(Duration::from_secs(1), false);
        }
        assert_eq!(aimd.limit(), 10);
        for (is_overloaded, limit) in [(true, 8), (false, 12)] {
            for _ in 0..20 {
                aimd.started(100);
                tokio::time::advance(Duration::from_secs(1)).await;
                aimd.ended(Duration::from_secs(1), is_overloaded);
            }
            assert_eq!(aimd.limit(), limit);
        }
    }
}
