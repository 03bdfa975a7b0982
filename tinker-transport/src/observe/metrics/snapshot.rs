//! Snapshots of the counters.

use std::collections::BTreeMap;
use std::time::Duration;

use super::histogram::Latency;

/// All counts of [`Metrics`](super::Metrics) at one moment. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Counts by name of the operation.
    pub operations: BTreeMap<&'static str, OperationCounts>,
    /// Number of times a 429 on a sample closed the gate.
    pub throttled: u64,
    /// Number of times a 402 paused calls.
    pub paused: u64,
    /// Number of times a circuit breaker opened.
    pub breakers_opened: u64,
    /// Number of times an adaptive limit changed.
    pub limits_moved: u64,
}

/// Counts of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OperationCounts {
    /// Calls that ended with a response, by the first digit of its status: `answered[2]` for 2xx.
    pub answered: [u64; 6],
    /// Calls that ended with an error.
    pub failed: u64,
    /// Calls dropped by their caller.
    pub dropped: u64,
    /// Requests sent, counting every try.
    pub attempts: u64,
    /// Tries that followed a failed one.
    pub retries: u64,
    /// Second requests sent for slow reads.
    pub hedges: u64,
    /// Hedged requests that were answered first.
    pub hedges_won: u64,
    /// Total time that calls waited for permits and at the gate.
    pub held: Duration,
    /// Time from call to the head of the response, including all tries and waits; answered calls only.
    pub latency: Latency,
    /// Work on the server, by the name of its steps; see [`Metrics::record_work`](super::Metrics::record_work).
    pub work: BTreeMap<&'static str, u64>,
    /// Time from submission to result, for finished work.
    pub work_latency: Latency,
}

impl OperationCounts {
    /// Calls that ended in any way.
    pub fn calls(&self) -> u64 {
        self.answered.iter().sum::<u64>() + self.failed + self.dropped
    }
}
