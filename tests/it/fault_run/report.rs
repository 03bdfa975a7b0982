//! Report of a run with and without faults.

use std::fmt;

use super::faults::Faults;
use super::made::Made;
use super::size::Size;

type Row = (&'static str, fn(&Made) -> String);

/// The figures of both runs.
pub(crate) struct Report {
    size: Size,
    calm: Made,
    stormy: Made,
}

impl Report {
    pub(crate) fn new(size: Size, calm: Made, stormy: Made) -> Self {
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
    ("samples delivered, each once", |made| {
        made.run.samples.len().to_string()
    }),
    ("samples the engine drew", |made| {
        made.counts.jobs().to_string()
    }),
    ("most samples in flight", |made| made.run.most.to_string()),
    ("passes the engine made", |made| {
        made.counts.passes().to_string()
    }),
    ("steps the engine applied", |made| {
        made.counts.steps().to_string()
    }),
    ("requests sent", |made| {
        let operations = made.metrics.snapshot().operations;
        let sent: u64 = operations.values().map(|counts| counts.attempts).sum();
        sent.to_string()
    }),
    ("of these tries after a failed one", |made| {
        let operations = made.metrics.snapshot().operations;
        let again: u64 = operations.values().map(|counts| counts.retries).sum();
        again.to_string()
    }),
    ("requests that met a fault", |made| {
        let faults = made.faults.as_ref();
        faults.map_or(0, Faults::hit).to_string()
    }),
    ("times samples were throttled", |made| {
        made.metrics.snapshot().throttled.to_string()
    }),
    ("times work was paused", |made| {
        made.metrics.snapshot().paused.to_string()
    }),
    ("seconds by the client's clock", |made| {
        format!("{:.0}", made.run.took.as_secs_f64())
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
