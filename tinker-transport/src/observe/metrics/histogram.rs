//! Latency histogram.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets in each doubling of the time; a quantile is off by at most half of 1/32.
const FINE: u64 = 32;
const FINE_BITS: u32 = FINE.trailing_zeros();
/// Doublings beyond the exact buckets: up to 2^36 microseconds, 19 hours.
const DOUBLINGS: usize = 31;
const BUCKETS: usize = FINE as usize * (DOUBLINGS + 1);

/// Lock-free counts of durations from a microsecond to 19 hours, in 8 KB.
///
/// The layout is that of HDR histograms: buckets of equal width within each doubling. The crate `hdrhistogram` records
/// through `&mut`; here many tasks record concurrently, and only a few quantiles are needed.
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    pub(crate) fn record(&self, time: Duration) {
        let micros = time.as_micros() as u64;
        self.buckets[index(micros)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
        self.max.fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn latency(&self) -> Latency {
        let counts: Vec<_> = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect();
        let count = counts.iter().sum();
        let max = self.max.load(Ordering::Relaxed);
        let at = |share| Duration::from_micros(quantile(&counts, count, share).min(max));
        Latency {
            count,
            sum: Duration::from_micros(self.sum.load(Ordering::Relaxed)),
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
            max: Duration::from_micros(max),
        }
    }
}

/// Bucket of a value: exact up to 31, then by its five bits after the leading one.
fn index(micros: u64) -> usize {
    let doubling = (u64::BITS - micros.leading_zeros()).saturating_sub(FINE_BITS + 1);
    let within = (micros >> doubling) as usize;
    (doubling as usize * FINE as usize + within).min(BUCKETS - 1)
}

/// Middle of a bucket.
fn middle(index: usize) -> u64 {
    let doubling = (index / FINE as usize).saturating_sub(1) as u32;
    let within = index as u64 - u64::from(doubling) * FINE;
    (within << doubling) + (1 << doubling) / 2
}

fn quantile(counts: &[u64], count: u64, share: f64) -> u64 {
    let rank = ((count as f64 * share).ceil() as u64).max(1);
    let mut seen = 0;
    counts
        .iter()
        .position(|in_bucket| {
            seen += in_bucket;
            seen >= rank
        })
        .map_or(0, middle)
}

/// Distribution of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Latency {
    /// Number of durations.
    pub count: u64,
    /// Sum of the durations.
    pub sum: Duration,
    /// Median, within 2 %, as are the other quantiles.
    pub p50: Duration,
    /// 95th percentile.
    pub p95: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// Maximum.
    pub max: Duration,
}

impl Latency {
    /// Mean; zero without durations.
    pub fn mean(&self) -> Duration {
        let count = u32::try_from(self.count).unwrap_or(u32::MAX).max(1);
        self.sum / count
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.latency().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bucket_that_is_near() {
        let mut last = 0;
        for exponent in 0..36_u32 {
            for step in [0, 1, 7, 15] {
                let value = (1_u64 << exponent) + ((1_u64 << exponent) * step) / 16;
                let bucket = index(value);
                assert!(bucket >= last, "{value}");
                last = bucket;
                let off = middle(bucket).abs_diff(value) as f64 / value as f64;
                assert!(off <= 1.0 / 64.0 + 1e-9, "{value} {off}");
            }
        }
        for value in 0..64 {
            assert_eq!(middle(index(value)), value, "small values are exact");
        }
        assert_eq!(index(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_agree_with_a_sorted_list() {
        let random = fastrand::Rng::with_seed(7);
        let (histogram, mut times) = (Histogram::default(), Vec::new());
        let mut random = random;
        for _ in 0..10_000 {
            let time = Duration::from_micros(10_u64.pow(random.u32(1..7)) + random.u64(0..1000));
            histogram.record(time);
            times.push(time);
        }
        times.sort_unstable();
        let latency = histogram.latency();
        for (found, rank) in [
            (latency.p50, 5_000),
            (latency.p95, 9_500),
            (latency.p99, 9_900),
            (latency.max, 10_000),
        ] {
            let exact = times[rank - 1].as_secs_f64();
            assert!((found.as_secs_f64() - exact).abs() / exact < 0.02, "{rank}");
        }
        assert_eq!(latency.count, 10_000);
        assert_eq!(latency.sum, times.iter().sum::<Duration>());
    }

    #[test]
    fn nothing_recorded_is_nothing() {
        assert_eq!(Histogram::default().latency(), Latency::default());
        assert_eq!(Latency::default().mean(), Duration::ZERO);
    }
}
