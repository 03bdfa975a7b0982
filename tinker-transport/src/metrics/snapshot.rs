//! Counters at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::histogram::Latency;

/// Everything [`Metrics`](super::Metrics) has counted, at one moment. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// By the name of the operation.
    pub operations: BTreeMap<&'static str, OperationCounts>,
    /// How often a 429 on a sample closed the gate.
    pub throttled: u64,
    /// How often a 402 paused calls.
    pub paused: u64,
    /// How often a circuit breaker opened.
    pub breakers_opened: u64,
    /// How often an adaptive limit moved.
    pub limits_moved: u64,
}

/// What happened to one operation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OperationCounts {
    /// Calls that ended with an answer, by the hundreds of its status: `answered[2]` for 2xx.
    pub answered: [u64; 6],
    /// Calls that ended with an error.
    pub failed: u64,
    /// Calls their caller dropped.
    pub dropped: u64,
    /// Requests sent, counting every try.
    pub attempts: u64,
    /// Tries that followed a failed one.
    pub retries: u64,
    /// Second requests sent for slow reads.
    pub hedges: u64,
    /// Those of them that answered first.
    pub hedges_won: u64,
    /// Time calls waited for permits and at the gate.
    pub held: Duration,
    /// From call to the head of the answer, all tries and waits included; answered calls only.
    pub latency: Latency,
    /// Work on the server, by the name of its steps; see [`Metrics::record_work`](super::Metrics::record_work).
    pub work: BTreeMap<&'static str, u64>,
    /// From submission to result, for work that was done.
    pub work_latency: Latency,
}

impl OperationCounts {
    /// Calls that ended, one way or another.
    pub fn calls(&self) -> u64 {
        self.answered.iter().sum::<u64>() + self.failed + self.dropped
    }
}
