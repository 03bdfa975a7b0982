//! Tables and the plot of the client's measurements.

use std::fmt::Write;

use super::goal::{Bound, Goal, goals};
use super::row::Row;
use super::workload::{IDLE, Side};
use crate::bench::stats::rounded;
use crate::bench::svg::{Line, Panel, page};

/// File name of the plot.
const PLOT: &str = "client-samples.svg";
/// Names of the sides in the tables.
const NAMES: [&str; Side::ALL.len()] = ["tinker-client", "bare hyper", "official SDK"];

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
        self.write_goals(text)?;
        self.write_processor(text)?;
        self.write_rest(text)?;
        self.write_work(text)?;
        self.write_idle(text)?;
        writeln!(text, "\n![Processor time of a small sample]({PLOT})")
    }

    /// Workloads whose units are done one after another.
    fn busy(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.workload.unit != IDLE)
    }

    fn write_goals(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "Goals. Ratios are of processor time unless they say otherwise:\n"
        )?;
        writeln!(text, "| goal | at | measured | met |")?;
        writeln!(text, "|---|--:|--:|---|")?;
        for goal in goals(&self.rows) {
            let met = match goal.is_met() {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "not measured",
            };
            let Goal {
                name,
                bound,
                measured,
            } = goal;
            let bound = match bound {
                Bound::AtMost(most) => format!("at most {most}"),
                Bound::AtLeast(least) => format!("at least {least}"),
            };
            writeln!(text, "| {name} | {bound} | {measured} | {met} |")?;
        }
        Ok(())
    }

    fn write_processor(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\nProcessor time of one unit in µs, and its ratios in each round:\n"
        )?;
        writeln!(
            text,
            "| work | unit | tinker-client | bare hyper | ratio | official SDK | ratio |"
        )?;
        writeln!(text, "|---|---|--:|--:|--:|--:|--:|")?;
        for row in self.busy() {
            let [ours, bare, official] =
                Side::ALL.map(|side| row.of(side, |n| n.processor).to_string());
            let ratio = |over, under| row.ratio(over, under, |n| n.processor);
            writeln!(
                text,
                "| {} | {} | {ours} | {bare} | **{}** | {official} | **{}** |",
                row.workload.name,
                row.workload.unit,
                ratio(Side::Ours, Side::Bare),
                ratio(Side::Official, Side::Ours)
            )?;
        }
        Ok(())
    }

    fn write_rest(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\nUnits a second, latency in ms (median and 99th percentile), peak of memory above that before the first unit in \
             MiB, and allocations of a unit:\n"
        )?;
        writeln!(
            text,
            "| work | client | units/s | median | 99th | MiB | allocations |"
        )?;
        writeln!(text, "|---|---|--:|--:|--:|--:|--:|")?;
        for row in self.busy() {
            for (side, name) in Side::ALL.into_iter().zip(NAMES) {
                if row.rounds(side).is_empty() {
                    continue;
                }
                let [rate, median, tail, memory, allocations] = [
                    row.of(side, |n| n.rate),
                    row.of(side, |n| n.median_ms),
                    row.of(side, |n| n.tail_ms),
                    row.of(side, |n| n.memory),
                    row.of(side, |n| n.allocations),
                ]
                .map(|samples| rounded(samples.median().unwrap_or_default()));
                let allocations = if side == Side::Official {
                    "-".to_owned()
                } else {
                    allocations
                };
                writeln!(
                    text,
                    "| {} | {name} | {rate} | {median} | {tail} | {memory} | {allocations} |",
                    row.workload.name
                )?;
            }
        }
        Ok(())
    }

    fn write_work(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\nShare of the server's time, in %:\n")?;
        writeln!(text, "| work | tinker-client | bare hyper | official SDK |")?;
        writeln!(text, "|---|--:|--:|--:|")?;
        for row in &self.rows {
            let Some(milliseconds) = row.workload.work else {
                continue;
            };
            let [ours, bare, official] =
                Side::ALL.map(|side| row.of(side, |n| n.rate * milliseconds / 10.0));
            writeln!(
                text,
                "| {} | {ours} | {bare} | {official} |",
                row.workload.name
            )?;
        }
        Ok(())
    }

    fn write_idle(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\nAn idle session, in ten minutes:\n")?;
        writeln!(text, "| client | processor ms | allocations | bytes |")?;
        writeln!(text, "|---|--:|--:|--:|")?;
        for row in self.rows.iter().filter(|row| row.workload.unit == IDLE) {
            for (side, name) in Side::ALL.into_iter().zip(NAMES) {
                if row.rounds(side).is_empty() {
                    continue;
                }
                let processor = row.of(side, |n| n.processor / 1e3);
                let traffic = row.of(side, |n| n.traffic);
                let allocations = match side {
                    Side::Official => "-".to_owned(),
                    _ => row.of(side, |n| n.allocations).to_string(),
                };
                writeln!(text, "| {name} | {processor} | {allocations} | {traffic} |")?;
            }
        }
        Ok(())
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
                    Some((at, row.of(side, |n| n.processor).median()?))
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
            PLOT.to_owned(),
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
    fn the_tables_compare_the_sides_of_a_round() {
        let mut rows: Vec<Row> = workloads().into_iter().map(Row::new).collect();
        let numbers = |processor: f64| [100.0, processor, 2.0, 1.0, 3.0, 5.0, 1_000.0, 0.0, 600.0];
        for row in &mut rows {
            row.add(Side::Ours, &numbers(0.2)).expect("nine numbers");
            row.add(Side::Official, &numbers(4.0))
                .expect("nine numbers");
            assert!(row.add(Side::Ours, &[1.0]).is_err());
        }
        let row = rows.first_mut().expect("there are workloads");
        row.add(Side::Bare, &numbers(0.1)).expect("nine numbers");
        let report = Report {
            machine: "a machine".to_owned(),
            sides: vec!["a".to_owned(), "b".to_owned()],
            rounds: 1,
            rows,
        };
        let text = report.markdown();
        for expected in [
            "| 2,000 (2,000 to 2,000) | 1,000 (1,000 to 1,000) | **2.00 (2.00 to 2.00)** | 40,000 (40,000 to 40,000) | \
             **20.0 (20.0 to 20.0)** |",
            "| tinker-client | 50.0 | 1.00 | 3.00 | 5.00 | 10.0 |",
            "µs above bare hyper | at most 45 | 1,000 (1,000 to 1,000) | **no** |",
            "times this client | at least 6 | 20.0 (20.0 to 20.0) | yes |",
            "times bare hyper | at most 1.6 | - | not measured |",
            "| official SDK | 40.0 (40.0 to 40.0) | - | 6.00 (6.00 to 6.00) |",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(report.plot().1.contains("official SDK"));
    }
}
