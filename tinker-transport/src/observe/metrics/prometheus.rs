//! Prometheus text format.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::histogram::Latency;
use super::snapshot::{OperationCounts, Snapshot};

/// A snapshot in the Prometheus text format, version 0.0.4; made by
/// [`Snapshot::prometheus`](super::Snapshot::prometheus).
#[derive(Debug)]
pub struct Prometheus<'a>(&'a Snapshot);

impl Snapshot {
    /// The snapshot in the Prometheus text format, as the response to a scrape.
    ///
    /// ```
    /// let snapshot = tinker_transport::Metrics::new().snapshot();
    /// let text = snapshot.prometheus().to_string();
    /// assert!(text.contains("tinker_gate_throttled_total 0"));
    /// ```
    pub fn prometheus(&self) -> Prometheus<'_> {
        Prometheus(self)
    }
}

impl Display for Prometheus<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(snapshot) = self;
        self.counters(f, "calls_total", "Calls that ended, by their end.", calls)?;
        self.counters(
            f,
            "attempts_total",
            "Requests sent, every try counted.",
            |counts| vec![(String::new(), counts.attempts)],
        )?;
        self.counters(
            f,
            "retries_total",
            "Tries that followed a failed one.",
            |counts| vec![(String::new(), counts.retries)],
        )?;
        self.counters(
            f,
            "hedges_total",
            "Second requests for slow reads.",
            |counts| {
                let lost = counts.hedges - counts.hedges_won;
                vec![
                    (label("won", "true"), counts.hedges_won),
                    (label("won", "false"), lost),
                ]
            },
        )?;
        self.counters(
            f,
            "work_total",
            "Work on the server, by its steps.",
            |counts| {
                let steps = counts.work.iter();
                steps.map(|(step, n)| (label("step", step), *n)).collect()
            },
        )?;
        self.counters(
            f,
            "held_seconds_total",
            "Time calls waited for permits and at the gate.",
            |counts| vec![(String::new(), counts.held.as_secs_f64())],
        )?;
        self.summary(
            f,
            "call_seconds",
            "From call to the head of the answer.",
            |counts| counts.latency,
        )?;
        self.summary(f, "work_seconds", "From submission to result.", |counts| {
            counts.work_latency
        })?;
        for (name, help, value) in [
            (
                "gate_throttled_total",
                "Times a 429 closed the gate.",
                snapshot.throttled,
            ),
            (
                "gate_paused_total",
                "Times a 402 paused calls.",
                snapshot.paused,
            ),
            (
                "breaker_opened_total",
                "Times a circuit breaker opened.",
                snapshot.breakers_opened,
            ),
            (
                "limit_moved_total",
                "Times an adaptive limit moved.",
                snapshot.limits_moved,
            ),
        ] {
            head(f, name, help, "counter")?;
            writeln!(f, "tinker_{name} {value}")?;
        }
        Ok(())
    }
}

impl Prometheus<'_> {
    fn counters<V: Display>(
        &self,
        f: &mut Formatter<'_>,
        name: &str,
        help: &str,
        series: impl Fn(&OperationCounts) -> Vec<(String, V)>,
    ) -> fmt::Result {
        head(f, name, help, "counter")?;
        for (operation, counts) in &self.0.operations {
            for (labels, value) in series(counts) {
                writeln!(f, "tinker_{name}{{{}{labels}}} {value}", of(operation))?;
            }
        }
        Ok(())
    }

    fn summary(
        &self,
        f: &mut Formatter<'_>,
        name: &str,
        help: &str,
        latency: impl Fn(&OperationCounts) -> Latency,
    ) -> fmt::Result {
        head(f, name, help, "summary")?;
        for (operation, counts) in &self.0.operations {
            let (of, latency) = (of(operation), latency(counts));
            for (quantile, time) in [
                ("0.5", latency.p50),
                ("0.95", latency.p95),
                ("0.99", latency.p99),
            ] {
                // A quantile of no values is undefined, not zero.
                let value = (latency.count > 0)
                    .then_some(time)
                    .map_or(f64::NAN, |time: Duration| time.as_secs_f64());
                writeln!(
                    f,
                    "tinker_{name}{{{of}{}}} {value}",
                    label("quantile", quantile)
                )?;
            }
            writeln!(f, "tinker_{name}_sum{{{of}}} {}", latency.sum.as_secs_f64())?;
            writeln!(f, "tinker_{name}_count{{{of}}} {}", latency.count)?;
        }
        Ok(())
    }
}

fn head(f: &mut Formatter<'_>, name: &str, help: &str, kind: &str) -> fmt::Result {
    writeln!(f, "# HELP tinker_{name} {help}")?;
    writeln!(f, "# TYPE tinker_{name} {kind}")
}

fn calls(counts: &OperationCounts) -> Vec<(String, u64)> {
    let answered = counts.answered.iter().enumerate().skip(1);
    answered
        .map(|(hundreds, n)| (label("end", &format!("{hundreds}xx")), *n))
        .chain([
            (label("end", "failed"), counts.failed),
            (label("end", "dropped"), counts.dropped),
        ])
        .filter(|(_, n)| *n > 0)
        .collect()
}

fn of(operation: &str) -> String {
    // Names of operations come from source code, but may contain quotes.
    let escaped = operation
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n");
    format!("operation=\"{escaped}\"")
}

fn label(name: &str, value: &str) -> String {
    format!(",{name}=\"{value}\"")
}
