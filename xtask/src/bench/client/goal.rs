//! Goals of the client's benchmark.

use super::row::{Numbers, Row};
use super::workload::Side::{self, Bare, Official, Ours};
use crate::bench::stats::Samples;

/// A goal, with what was measured.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) name: &'static str,
    pub(crate) bound: Bound,
    /// One value for each round; none if a side is missing.
    pub(crate) measured: Samples,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    /// Whether the median is within the bound; `None` without measurements.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let median = self.measured.median()?;
        Some(match self.bound {
            Bound::AtMost(most) => median <= most,
            Bound::AtLeast(least) => median >= least,
        })
    }
}

/// Values of the rounds of one side.
struct Rounds<'a>(&'a [Numbers]);

impl Rounds<'_> {
    fn of(&self, value: impl Fn(&Numbers) -> f64) -> Vec<f64> {
        self.0.iter().map(value).collect()
    }
}

fn each(a: &[f64], b: &[f64], value: impl Fn(f64, f64) -> f64) -> Samples {
    a.iter().zip(b).map(|(&a, &b)| value(a, b)).collect()
}

/// The goals and how they were met.
pub(crate) fn goals(rows: &[Row]) -> Vec<Goal> {
    use Bound::{AtLeast, AtMost};
    let rounds = |settings: &str, side: Side| {
        let row = rows.iter().find(|row| row.workload.settings == settings);
        Rounds(row.map_or(&[], |row| row.rounds(side)))
    };
    let processor = |settings: &str, side| rounds(settings, side).of(|n| n.processor);
    let over = |settings: &str, over, under| {
        let divide = |a, b| a / b;
        each(
            &processor(settings, over),
            &processor(settings, under),
            divide,
        )
    };
    let above = |settings: &str, value: fn(&Numbers) -> f64| {
        let (ours, bare) = (rounds(settings, Ours), rounds(settings, Bare));
        each(&ours.of(value), &bare.of(value), |a, b| a - b)
    };
    // Of arrays of 16 bytes for a token.
    let peak = |settings: &str, tokens: f64| {
        let peaks = rounds(settings, Ours).of(|n| n.memory);
        let payload = tokens * 16.0 / f64::from(1 << 20);
        peaks.iter().map(|peak| peak / payload).collect()
    };
    let goal = |name, bound, measured| Goal {
        name,
        bound,
        measured,
    };
    let (passes, rows_of_ten) = ("pass 256 4096", "pass 10 65536");
    vec![
        goal(
            "small samples, 2,000 in flight: times bare hyper",
            AtMost(1.6),
            over("sample 2000", Ours, Bare),
        ),
        goal(
            "the same over TLS and HTTP/2",
            AtMost(1.6),
            over("tls sample 2000", Ours, Bare),
        ),
        goal(
            "small samples, 1 in flight: µs above bare hyper",
            AtMost(45.0),
            above("sample 1", |n| n.processor),
        ),
        goal(
            "small samples over TLS and HTTP/2: 20,000 in flight, times 2,000",
            AtMost(1.2),
            each(
                &processor("tls sample 20000", Ours),
                &processor("tls sample 2000", Ours),
                |a, b| a / b,
            ),
        ),
        goal(
            "small samples, 2,000 in flight: KB for one in flight above bare hyper",
            AtMost(8.0),
            above("sample 2000", |n| n.memory * 1048.576 / 2_000.0),
        ),
        goal(
            "small samples, 2,000 in flight: allocations of a sample above bare hyper",
            AtMost(20.0),
            above("sample 2000", |n| n.allocations),
        ),
        goal(
            "small samples beside uploads: 99th percentile, times that without",
            AtMost(3.0),
            each(
                &rounds("beside 64", Ours).of(|n| n.tail_ms),
                &rounds("sample 64", Ours).of(|n| n.tail_ms),
                |a, b| a / b,
            ),
        ),
        goal(
            "decoding in place: times reading",
            AtMost(1.5),
            over("decode-view", Ours, Bare),
        ),
        goal(
            "decoding in place: official SDK through numpy, times this client",
            AtLeast(5.0),
            over("decode-view", Official, Ours),
        ),
        goal(
            "decoding in place: official SDK through lists, times this client",
            AtLeast(50.0),
            each(
                &processor("decode", Official),
                &processor("decode-view", Ours),
                |a, b| a / b,
            ),
        ),
        goal(
            "forward_backward of 256 × 4,096: times a copy and bare hyper",
            AtMost(1.5),
            over(passes, Ours, Bare),
        ),
        goal(
            "forward_backward of 10 × 65,536: times a copy and bare hyper",
            AtMost(1.5),
            over(rows_of_ten, Ours, Bare),
        ),
        goal(
            "forward_backward of 256 × 4,096: official SDK, times this client",
            AtLeast(6.0),
            over(passes, Official, Ours),
        ),
        goal(
            "forward_backward of 10 × 65,536: official SDK, times this client",
            AtLeast(6.0),
            over(rows_of_ten, Official, Ours),
        ),
        goal(
            "forward_backward of 256 × 4,096: peak of memory above the data, times the data",
            AtMost(0.7),
            peak(passes, 256.0 * 4_096.0),
        ),
        goal(
            "forward_backward of 256 × 4,096, zstd: times zstd and bare hyper",
            AtMost(1.1),
            over("zstd 256 4096", Ours, Bare),
        ),
        goal(
            "forward_backward of 10 × 65,536, zstd: times zstd and bare hyper",
            AtMost(1.1),
            over("zstd 10 65536", Ours, Bare),
        ),
        goal(
            "steps of 4 × 64, of 50 ms each: share of the server's time, in %",
            AtLeast(97.5),
            rounds("working 50000 4 64", Ours)
                .of(|n| n.rate * 50.0 / 10.0)
                .into_iter()
                .collect(),
        ),
        goal(
            "steps of 256 × 4,096, of 50 ms each: steps a second, times bare hyper",
            AtLeast(0.97),
            each(
                &rounds("working 12500 256 4096", Ours).of(|n| n.rate),
                &rounds("working 12500 256 4096", Bare).of(|n| n.rate),
                |a, b| a / b,
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::workload::workloads;
    use super::*;

    #[test]
    fn every_goal_is_measured_where_all_sides_ran() {
        let mut rows: Vec<Row> = workloads().into_iter().map(Row::new).collect();
        assert!(goals(&rows).iter().all(|goal| goal.is_met().is_none()));
        for row in &mut rows {
            for side in Side::ALL {
                let processor = match side {
                    Ours => 0.2,
                    Bare => 0.1,
                    Official => 4.0,
                };
                let numbers = [100.0, processor, 2.0, 1.0, 3.0, 5.0, 1_000.0, 0.0, 0.0];
                row.add(side, &numbers).expect("nine numbers");
            }
        }
        let goals = goals(&rows);
        let met: Vec<_> = goals.iter().map(Goal::is_met).collect();
        assert!(met.iter().all(Option::is_some), "{goals:?}");
        // Twice the bare client, and a twentieth of the official one.
        let passes = met.len() - 9;
        assert_eq!((met[0], met[passes + 2]), (Some(false), Some(true)));
    }
}
