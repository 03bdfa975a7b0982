//! Measurements of one workload.

use anyhow::{Context as _, ensure};

use super::workload::{Side, Workload};
use crate::bench::stats::Samples;

/// Numbers of one measurement of a workload, for each unit of work where it says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    /// Processor time of a unit, in µs.
    pub(crate) processor: f64,
    /// Units a second.
    pub(crate) rate: f64,
    pub(crate) median_ms: f64,
    pub(crate) tail_ms: f64,
    /// Peak of resident memory above that before the first unit, in MiB.
    pub(crate) memory: f64,
    /// Allocations of a unit.
    pub(crate) allocations: f64,
    /// Bytes on the wire of a unit, where they are counted.
    pub(crate) traffic: f64,
}

impl Numbers {
    /// The numbers of a measuring program: units, processor seconds, wall seconds, median and 99th percentile in ms,
    /// MiB, allocations, allocated bytes, bytes on the wire.
    fn read(numbers: &[f64]) -> anyhow::Result<Self> {
        let numbers = <[f64; 9]>::try_from(numbers).ok();
        let [
            units,
            processor,
            wall,
            median_ms,
            tail_ms,
            memory,
            allocations,
            _,
            traffic,
        ] = numbers.context("a measuring program gives nine numbers")?;
        ensure!(units > 0.0 && wall > 0.0, "a measuring program did nothing");
        Ok(Self {
            processor: 1e6 * processor / units,
            rate: units / wall,
            median_ms,
            tail_ms,
            memory,
            allocations: allocations / units,
            traffic: traffic / units,
        })
    }
}

/// Measurements of one workload, of each side in each round.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) workload: Workload,
    rounds: [Vec<Numbers>; Side::ALL.len()],
}

impl Row {
    pub(crate) fn new(workload: Workload) -> Self {
        Self {
            workload,
            rounds: Default::default(),
        }
    }

    pub(crate) fn add(&mut self, side: Side, numbers: &[f64]) -> anyhow::Result<()> {
        let numbers = Numbers::read(numbers)
            .with_context(|| format!("{:?} answered {numbers:?}", self.workload.name))?;
        self.rounds[side as usize].push(numbers);
        Ok(())
    }

    pub(crate) fn rounds(&self, side: Side) -> &[Numbers] {
        &self.rounds[side as usize]
    }

    /// One value of each round.
    pub(crate) fn of(&self, side: Side, value: impl Fn(&Numbers) -> f64) -> Samples {
        self.rounds(side).iter().map(value).collect()
    }

    /// The ratio of two sides in each round.
    pub(crate) fn ratio(
        &self,
        over: Side,
        under: Side,
        value: impl Fn(&Numbers) -> f64,
    ) -> Samples {
        let pairs = self.rounds(over).iter().zip(self.rounds(under));
        pairs.map(|(a, b)| value(a) / value(b)).collect()
    }
}
