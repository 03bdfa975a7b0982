//! Tables and plots of measurements.

use std::fmt::Write;

use super::workload::{
    BF16, COMPILE, Curve, EAGER, ENGINE, GOALS, PEAK, TRAIN_M, Workload, operations_in_train_m,
};
use crate::bench::stats::{Samples, rounded};
use crate::bench::svg::{Line, Panel, page};

/// Greatest factor by which the cost of a token may rise from one point of a curve to the next.
const CLIFF: f64 = 1.3;

pub(crate) struct Report {
    pub(crate) machine: String,
    /// Instructions and threads.
    pub(crate) ours: String,
    pub(crate) torch: Option<String>,
    pub(crate) rounds: usize,
    pub(crate) side_by_side: Vec<(Workload, Samples)>,
    pub(crate) scaling: Vec<(Curve, Vec<(Workload, Samples)>)>,
}

impl Report {
    fn samples(&self, key: &str, who: &str) -> Option<&Samples> {
        let found = self
            .side_by_side
            .iter()
            .find(|(w, _)| w.key == key && w.who == who);
        found.map(|(_, samples)| samples)
    }

    fn median(&self, key: &str, who: &str) -> Option<f64> {
        self.samples(key, who)?.median()
    }

    /// The best rate of any product on either side, in operations a second.
    fn peak(&self) -> Option<f64> {
        let products = self.side_by_side.iter().filter(|(w, _)| w.key == PEAK);
        products
            .filter_map(|(_, samples)| samples.best())
            .max_by(f64::total_cmp)
    }

    /// The report as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "Machine: {}.", self.machine)?;
        writeln!(text, "Engine: {} threads.", self.ours.replace(' ', ", "))?;
        if let Some(torch) = &self.torch {
            writeln!(text, "Beside it: {torch}.")?;
        }
        writeln!(
            text,
            "Medians of {} interleaved rounds in tokens a second, least and greatest in brackets. The ratio is to {EAGER} eager.\n",
            self.rounds
        )?;
        writeln!(
            text,
            "| | {ENGINE} | {EAGER} | ratio | wanted | {COMPILE} | {BF16} |"
        )?;
        writeln!(text, "|---|--:|--:|--:|--:|--:|--:|")?;
        for (key, wanted) in GOALS {
            let cell = |who| {
                self.samples(key, who)
                    .map_or_else(|| "-".to_owned(), Samples::to_string)
            };
            let ratio = match (self.median(key, ENGINE), self.median(key, EAGER)) {
                (Some(ours), Some(theirs)) => format!("**{:.1}×**", ours / theirs),
                _ => "-".to_owned(),
            };
            let (ours, eager, compile, bf16) =
                (cell(ENGINE), cell(EAGER), cell(COMPILE), cell(BF16));
            writeln!(
                text,
                "| {key} | {ours} | {eager} | {ratio} | {wanted} | {compile} | {bf16} |"
            )?;
        }
        if let (Some(peak), Some(rate)) = (self.peak(), self.median(TRAIN_M, ENGINE)) {
            let used = rate * operations_in_train_m(512);
            writeln!(
                text,
                "\nPeak of a matrix product measured in the same run: {} GFLOP/s on all threads. The products of {TRAIN_M} \
                 need {} GFLOP/s at the measured speed: **{:.0} %** of the peak.",
                rounded(peak / 1e9),
                rounded(used / 1e9),
                100.0 * used / peak
            )?;
        }
        writeln!(
            text,
            "\nThe engine alone as one setting grows, best of the rounds. \"Steepest\" is the greatest rise of a token's \
             cost from one point to the next; above {CLIFF} it would be a cliff, and the command would fail.\n"
        )?;
        writeln!(
            text,
            "| curve | tokens a second | steepest |\n|---|---|--:|"
        )?;
        for (curve, points) in &self.scaling {
            let rates: Vec<String> = points
                .iter()
                .filter_map(|(w, samples)| Some(format!("{}: {}", w.key, rounded(samples.best()?))))
                .collect();
            let steepest = steps(points).map(|(.., rise)| rise).fold(0.0, f64::max);
            writeln!(
                text,
                "| {} ({}) | {} | {steepest:.2} |",
                curve.title(),
                curve.fixed,
                rates.join(", ")
            )?;
        }
        if self.torch.is_some() {
            for (name, _) in self.plots() {
                writeln!(
                    text,
                    "\n![{}]({name})",
                    name.trim_end_matches(".svg").replace('-', " ")
                )?;
            }
        }
        Ok(())
    }

    /// Points at which the cost of a token rises too steeply.
    pub(crate) fn cliffs(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (curve, points) in &self.scaling {
            for (from, to, rise) in steps(points).filter(|(.., rise)| *rise > CLIFF) {
                all.push(format!(
                    "{}: a token costs {rise:.2} times as much at {to} as at {from}",
                    curve.title()
                ));
            }
        }
        all
    }

    /// File names and plots.
    pub(crate) fn plots(&self) -> Vec<(String, String)> {
        ["train", "sample"]
            .into_iter()
            .map(|verb| {
                let mut panels: Vec<Panel> = Vec::new();
                for (curve, points) in self.scaling.iter().filter(|(c, _)| c.verb == verb) {
                    let line = Line {
                        name: curve.shape.to_owned(),
                        points: points
                            .iter()
                            .filter_map(|(w, s)| Some((w.key.parse().ok()?, s.best()?)))
                            .collect(),
                    };
                    match panels.iter_mut().find(|p| p.along == curve.along) {
                        Some(panel) => panel.lines.push(line),
                        None => panels.push(Panel {
                            along: curve.along.to_owned(),
                            lines: vec![line],
                        }),
                    }
                }
                (
                    format!("engine-{verb}.svg"),
                    page(&format!("{verb}: tokens a second"), &panels),
                )
            })
            .collect()
    }
}

/// Neighbouring points of a curve, with the factor by which the cost of a token rises between them.
fn steps(points: &[(Workload, Samples)]) -> impl Iterator<Item = (&str, &str, f64)> {
    points.windows(2).filter_map(|pair| {
        let [(from, slow), (to, fast)] = pair else {
            return None;
        };
        Some((
            from.key.as_str(),
            to.key.as_str(),
            slow.best()? / fast.best()?,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::engine::workload::{comparisons, curves};

    fn samples(rate: f64) -> Samples {
        let mut samples = Samples::default();
        samples.push(rate);
        samples
    }

    fn report(cliff: f64) -> Report {
        let points = |curve: &Curve| -> Vec<_> {
            let rate = |i: usize| if i < 3 { 1000.0 } else { 1000.0 / cliff };
            curve
                .points()
                .enumerate()
                .map(|(i, w)| (w, samples(rate(i))))
                .collect()
        };
        Report {
            machine: "a machine".to_owned(),
            ours: "AVX2 2".to_owned(),
            torch: Some("PyTorch".to_owned()),
            rounds: 1,
            side_by_side: comparisons()
                .into_iter()
                .map(|w| {
                    let rate = if w.is_torch() { 100.0 } else { 250.0 };
                    (w, samples(rate))
                })
                .collect(),
            scaling: curves()
                .into_iter()
                .map(|c| (c.clone(), points(&c)))
                .collect(),
        }
    }

    #[test]
    fn a_cliff_is_found_and_named() {
        assert_eq!(report(1.25).cliffs(), Vec::<String>::new());
        let cliffs = report(1.5).cliffs();
        assert_eq!(cliffs.len(), curves().len());
        assert_eq!(
            cliffs[0],
            "train S against batch: a token costs 1.50 times as much at 4 as at 3"
        );
    }

    #[test]
    fn tables_and_plots_hold_what_was_measured() {
        let report = report(1.2);
        let text = report.markdown();
        assert!(
            text.contains(
                "| train S | 250 (250 to 250) | 100 (100 to 100) | **2.5×** | 1.8×, 3× |"
            ),
            "{text}"
        );
        assert!(text.contains("| 1.20 |"), "{text}");
        let plots = report.plots();
        assert_eq!(plots.len(), 2);
        assert!(
            plots
                .iter()
                .all(|(_, svg)| svg.starts_with("<svg") && svg.ends_with("</svg>\n"))
        );
    }
}
