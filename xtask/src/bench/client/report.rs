//! Tables and the plot of the client's measurements.

use std::fmt::Write;

use anyhow::bail;

use super::workload::{Side, Workload};
use crate::bench::stats::{Samples, rounded};
use crate::bench::svg::{Line, Panel, page};

/// Measurements of one workload on one side, for each unit of work where it says so.
#[derive(Debug, Clone, Default)]
struct Measured {
    /// Processor time of a unit, in µs.
    processor: Samples,
    /// Units a second.
    rate: Samples,
    median_ms: Samples,
    tail_ms: Samples,
    /// Growth of the peak of resident memory, in MiB.
    memory: Samples,
    /// Allocations of a unit.
    allocations: Samples,
}

/// A row of the tables.
pub(crate) struct Row {
    pub(crate) workload: Workload,
    sides: [Measured; Side::ALL.len()],
    /// Processor time over that of the bare client, and of the official SDK over ours, in each round.
    over_bare: Samples,
    under_official: Samples,
    latest: [Option<f64>; Side::ALL.len()],
}

impl Row {
    pub(crate) fn new(workload: Workload) -> Self {
        Self {
            workload,
            sides: Default::default(),
            over_bare: Samples::default(),
            under_official: Samples::default(),
            latest: [None; Side::ALL.len()],
        }
    }

    /// Adds the numbers of a measuring program: units, processor seconds, wall seconds, median and 99th percentile in
    /// ms, MiB, allocations, allocated bytes.
    pub(crate) fn add(&mut self, side: Side, numbers: &[f64]) -> anyhow::Result<()> {
        let &[units, processor, wall, median, tail, memory, allocations, _] = numbers else {
            bail!("a measuring program answered {numbers:?}");
        };
        let measured = &mut self.sides[side as usize];
        measured.processor.push(1e6 * processor / units);
        measured.rate.push(units / wall);
        measured.median_ms.push(median);
        measured.tail_ms.push(tail);
        measured.memory.push(memory);
        measured.allocations.push(allocations / units);
        // Ours comes first in a round, so both ratios compare neighbours in time.
        self.latest[side as usize] = Some(processor / units);
        let [ours, ..] = self.latest;
        match (side, ours) {
            (Side::Bare, Some(ours)) => self.over_bare.push(ours * units / processor),
            (Side::Official, Some(ours)) => self.under_official.push(processor / units / ours),
            _ => {}
        }
        Ok(())
    }

    fn of(&self, side: Side) -> &Measured {
        &self.sides[side as usize]
    }
}

pub(crate) struct Report {
    pub(crate) machine: String,
    /// Names and versions of the clients, from the measuring programs.
    pub(crate) sides: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// The report as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "Machine: {}.", self.machine)?;
        writeln!(
            text,
            "Clients: {}. Medians of {} interleaved rounds, least and greatest in brackets.\n",
            self.sides.join("; "),
            self.rounds
        )?;
        writeln!(
            text,
            "Processor time of one unit in µs, and its ratios in each round:\n"
        )?;
        writeln!(
            text,
            "| work | unit | tinker-client | bare hyper | ratio | goal | official SDK | ratio |"
        )?;
        writeln!(text, "|---|---|--:|--:|--:|--:|--:|--:|")?;
        for row in &self.rows {
            let [ours, bare, official] = Side::ALL.map(|side| row.of(side).processor.to_string());
            let goal = row
                .workload
                .goal
                .map_or_else(|| "-".to_owned(), |goal| format!("{goal}"));
            writeln!(
                text,
                "| {} | {} | {ours} | {bare} | **{}** | {goal} | {official} | **{}** |",
                row.workload.name, row.workload.unit, row.over_bare, row.under_official
            )?;
        }
        writeln!(
            text,
            "\nUnits a second, latency in ms (median and 99th percentile), growth of the peak of memory in MiB, and \
             allocations of a unit:\n"
        )?;
        writeln!(
            text,
            "| work | client | units/s | median | 99th | MiB | allocations |"
        )?;
        writeln!(text, "|---|---|--:|--:|--:|--:|--:|")?;
        for row in &self.rows {
            for (side, name) in
                Side::ALL
                    .into_iter()
                    .zip(["tinker-client", "bare hyper", "official SDK"])
            {
                let measured = row.of(side);
                let Some(rate) = measured.rate.median() else {
                    continue;
                };
                let [median, tail, memory, allocations] = [
                    &measured.median_ms,
                    &measured.tail_ms,
                    &measured.memory,
                    &measured.allocations,
                ]
                .map(|samples| rounded(samples.median().unwrap_or_default()));
                let allocations = if side == Side::Official {
                    "-".to_owned()
                } else {
                    allocations
                };
                writeln!(
                    text,
                    "| {} | {name} | {} | {median} | {tail} | {memory} | {allocations} |",
                    row.workload.name,
                    rounded(rate)
                )?;
            }
        }
        let (name, _) = self.plot();
        writeln!(text, "\n![Processor time of a small sample]({name})")
    }

    /// File name and plot of the processor time of a small sample against the samples in flight.
    pub(crate) fn plot(&self) -> (String, String) {
        let line = |side, name: &str| Line {
            name: name.to_owned(),
            points: self
                .rows
                .iter()
                .filter_map(|row| {
                    let at = row.workload.in_flight? as f64;
                    Some((at, row.of(side).processor.median()?))
                })
                .collect(),
        };
        let compiled = Panel {
            along: "samples in flight".to_owned(),
            lines: vec![line(Side::Ours, "ours"), line(Side::Bare, "bare")],
        };
        let official = Panel {
            along: "samples in flight".to_owned(),
            lines: vec![line(Side::Official, "official SDK")],
        };
        (
            "client-samples.svg".to_owned(),
            page(
                "µs of processor time for a small sample",
                &[compiled, official],
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::workload::workloads;
    use super::*;

    #[test]
    fn a_row_compares_the_sides_of_a_round() {
        let mut rows: Vec<Row> = workloads().into_iter().map(Row::new).collect();
        let numbers = |processor: f64| [100.0, processor, 2.0, 1.0, 3.0, 5.0, 1_000.0, 0.0];
        let row = rows.first_mut().expect("there are workloads");
        row.add(Side::Ours, &numbers(0.2)).expect("eight numbers");
        row.add(Side::Bare, &numbers(0.1)).expect("eight numbers");
        row.add(Side::Official, &numbers(4.0))
            .expect("eight numbers");
        assert!(row.add(Side::Ours, &[1.0]).is_err());
        let report = Report {
            machine: "a machine".to_owned(),
            sides: vec!["a".to_owned(), "b".to_owned()],
            rounds: 1,
            rows,
        };
        let text = report.markdown();
        let expected = "| 2,000 (2,000 to 2,000) | 1,000 (1,000 to 1,000) | **2.00 (2.00 to 2.00)** | - | 40,000 (40,000 to \
                        40,000) | **20.0 (20.0 to 20.0)** |";
        assert!(text.contains(expected), "{text}");
        assert!(
            text.contains("| tinker-client | 50.0 | 1.00 | 3.00 | 5.00 | 10.0 |"),
            "{text}"
        );
        assert!(report.plot().1.contains("official SDK"));
    }
}
