//! Report of a run with and without faults.

use std::fmt;
use std::sync::Arc;

use tinker_client::transport::Metrics;
use tinker_tests::executed::Counts;

use super::faults::Faults;
use super::run::Run;
use super::size::Size;

/// A finished run with its costs.
pub(crate) struct FinishedRun {
    pub(crate) run: Run,
    /// Operations that the engine executed.
    pub(crate) counts: Arc<Counts>,
    /// Requests that the client sent.
    pub(crate) metrics: Metrics,
    /// Injected faults; `None` for the run without faults.
    pub(crate) faults: Option<Faults>,
}

type Row = (&'static str, fn(&FinishedRun) -> String);

/// The figures of both runs.
pub(crate) struct Report {
    size: Size,
    calm: FinishedRun,
    stormy: FinishedRun,
}

impl Report {
    pub(crate) fn new(size: Size, calm: FinishedRun, stormy: FinishedRun) -> Self {
        Self { size, calm, stormy }
    }

    /// Number of requests with a fault in the run with faults.
    pub(crate) fn share_of_faults(&self) -> f64 {
        let faults = self.stormy.faults.as_ref();
        faults.map_or(0.0, |faults| faults.hit() as f64 / faults.requests() as f64)
    }
}

/// The rows of the table for one run.
const ROWS: [Row; 11] = [
    ("samples delivered, each once", |finished| {
        finished.run.samples.len().to_string()
    }),
    ("samples the engine drew", |finished| {
        finished.counts.jobs().to_string()
    }),
    ("most samples in flight", |finished| {
        finished.run.most.to_string()
    }),
    ("passes the engine made", |finished| {
        finished.counts.passes().to_string()
    }),
    ("steps the engine applied", |finished| {
        finished.counts.steps().to_string()
    }),
    ("requests sent", |finished| {
        let operations = finished.metrics.snapshot().operations;
        let sent: u64 = operations.values().map(|counts| counts.attempts).sum();
        sent.to_string()
    }),
    ("of these tries after a failed one", |finished| {
        let operations = finished.metrics.snapshot().operations;
        let again: u64 = operations.values().map(|counts| counts.retries).sum();
        again.to_string()
    }),
    ("requests that met a fault", |finished| {
        let faults = finished.faults.as_ref();
        faults.map_or(0, Faults::hit).to_string()
    }),
    ("times samples were throttled", |finished| {
        finished.metrics.snapshot().throttled.to_string()
    }),
    ("times work was paused", |finished| {
        finished.metrics.snapshot().paused.to_string()
    }),
    ("seconds by the client's clock", |finished| {
        format!("{:.0}", finished.run.took.as_secs_f64())
    }),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size {
            steps,
            samples,
            in_flight,
            seed,
            ..
        } = self.size;
        writeln!(
            f,
            "{steps} steps, {samples} samples, {in_flight} in flight, seed {seed}; weights, losses and samples are equal\n"
        )?;
        writeln!(f, "| | without faults | with faults |\n|---|---|---|")?;
        for (name, value) in ROWS {
            writeln!(
                f,
                "| {name} | {} | {} |",
                value(&self.calm),
                value(&self.stormy)
            )?;
        }
        writeln!(
            f,
            "\n{:.1} of 100 requests met a fault:\n\n| fault | times |\n|---|---|",
            100.0 * self.share_of_faults()
        )?;
        let tally = self.stormy.faults.as_ref().map(Faults::tally);
        for (name, count) in tally.unwrap_or_default() {
            writeln!(f, "| {name} | {count} |")?;
        }
        Ok(())
    }
}
