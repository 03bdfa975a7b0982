//! Markdown table of a run.

use std::fmt::Write as _;
use std::time::Duration;

use super::together::{Plan, Together};

/// Formats the figures of a run. `memory` holds the resident bytes of the server, one number a second, if sampled.
pub fn table(plan: Plan, run: &Together, memory: &[u64]) -> String {
    let mut text = String::new();
    let seconds = run.time.as_secs_f64();
    let steps: u64 = run.trained.iter().map(|trained| trained.steps).sum();
    let mut line = |name: &str, value: String| {
        let _infallible = writeln!(text, "| {name} | {value} |");
    };
    line(
        "clients",
        format!("{}, {} of them train", plan.clients, plan.trainers),
    );
    line("time", format!("{seconds:.1} s"));
    line("errors", "0".to_owned());
    line(
        "training steps",
        format!("{steps}, {:.1} a second", steps as f64 / seconds),
    );
    let each: Vec<String> = run
        .trained
        .iter()
        .map(|trained| trained.steps.to_string())
        .collect();
    line("steps of each adapter", each.join(" "));
    line(
        "slowest adapter over the mean",
        format!("{:.2}", run.fairness()),
    );
    line(
        "samples",
        format!(
            "{}, {:.1} a second",
            run.samples(),
            run.samples() as f64 / seconds
        ),
    );
    line(
        "slowest sampling client over the mean",
        format!("{:.2}", run.sampling_fairness()),
    );
    let at = |part: usize| {
        let index = (run.latencies.len() * part / 100).min(run.latencies.len().saturating_sub(1));
        run.latencies.get(index).map_or(0, Duration::as_millis)
    };
    line(
        "a sample takes, median, 99 of 100, longest",
        format!("{} ms, {} ms, {} ms", at(50), at(99), at(100)),
    );
    if let Some(most) = memory.iter().max() {
        let mib = |bytes: u64| bytes >> 20;
        let quarters: Vec<String> = (0..=4)
            .map(|quarter| memory[(memory.len() - 1) * quarter / 4])
            .map(|bytes| mib(bytes).to_string())
            .collect();
        line(
            "resident memory of the server by quarters of the time",
            format!("{} MiB", quarters.join(", ")),
        );
        line("most resident memory", format!("{} MiB", mib(*most)));
    }
    text
}
