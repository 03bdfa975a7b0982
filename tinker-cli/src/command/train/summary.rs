//! What a run has found out, and how it is shown.

use comfy_table::{ContentArrangement, Row, Table, presets};
use serde::Serialize;

use super::evaluate::Score;
use super::steps::Step;
use crate::look::{BAD, FAINT, GOOD, Look, STRONG, paint};
use crate::plot::{self, Curve};
use crate::report::Answer;
use crate::talk::labelled;
use crate::words;

/// Rows of the table.
const ROWS: usize = 8;
/// Characters of a text that are worth a look.
const LONGEST: usize = 60;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Finished,
    Interrupted,
}

/// The result of a run: what `summary.json` holds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) status: Status,
    pub(crate) model: String,
    pub(crate) data: String,
    pub(crate) held_out: String,
    /// Number of the last step done.
    pub(crate) steps: usize,
    /// Tokens read in training.
    pub(crate) tokens: usize,
    /// Wall-clock time of the steps.
    pub(crate) seconds: f64,
    /// Nats per learned token over the first and the last steps.
    pub(crate) first_loss: Option<f64>,
    pub(crate) last_loss: Option<f64>,
    pub(crate) before: Option<Score>,
    pub(crate) after: Option<Score>,
    /// To train on from.
    pub(crate) checkpoint: String,
    /// To sample from; none where the run was interrupted.
    pub(crate) sampler: Option<String>,
    pub(crate) run_folder: String,
    pub(crate) files: Vec<&'static str>,
    /// Commands to go on with.
    pub(crate) next: Vec<Suggestion>,
}

/// A command that works when pasted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Suggestion {
    pub(crate) purpose: &'static str,
    pub(crate) command: String,
}

/// A held-out prompt with what the model made of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) line: usize,
    pub(crate) prompt: String,
    pub(crate) expected: String,
    pub(crate) before: Said,
    /// `None` where the run was interrupted.
    pub(crate) after: Option<Said>,
}

/// An answer, and whether it is the expected one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) exact: bool,
}

/// Everything about a run: what `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) summary: Summary,
    pub(crate) samples: Vec<Sample>,
    pub(crate) metrics: Vec<Step>,
}

impl Answer for Outcome {
    fn to_text(&self, look: Look) -> String {
        let parts = [
            self.table(look),
            self.rates(look),
            plot::terminal(&curve(&self.metrics), look),
            self.places(),
            self.suggestions(),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("\n{}", parts.join("\n"))
    }
}

impl Outcome {
    /// Rows spread evenly over the held-out prompts, so that nobody picks the good ones.
    fn table(&self, look: Look) -> String {
        if self.samples.iter().all(|row| row.after.is_none()) {
            return String::new();
        }
        let shown = |text: &str| words::one_line(text, LONGEST, look.unicode);
        let marked = |said: &Said| {
            let mark = if said.exact {
                look.right()
            } else {
                look.wrong()
            };
            format!("{mark} {}", shown(&said.text))
        };
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_truncation_indicator(look.ellipsis())
            .set_width((look.width - 2) as u16)
            .set_header(["prompt", "expected", "before", "after"]);
        for row in self.shown() {
            let after = row.after.as_ref().map(marked).unwrap_or_default();
            let mut cells = Row::from([
                shown(&row.prompt),
                shown(&row.expected),
                marked(&row.before),
                after,
            ]);
            cells.max_height(1);
            table.add_row(cells);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let mut text = String::new();
        for (index, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let line = if index == 0 {
                paint(FAINT, line)
            } else {
                colour_marks(line, look)
            };
            text += &format!("  {line}\n");
        }
        let shown = self.shown().count();
        if shown < self.samples.len() {
            let note = format!("{shown} of {}; all are in samples.json", self.samples.len());
            text += &format!("  {}\n", paint(FAINT, note));
        }
        text
    }

    fn shown(&self) -> impl Iterator<Item = &Sample> {
        let count = self.samples.len();
        let rows = count.min(ROWS);
        (0..rows).map(move |row| &self.samples[row * count / rows])
    }

    fn rates(&self, look: Look) -> String {
        let rate = |score: &Score| format!("{:.2}", score.rate);
        match (&self.summary.before, &self.summary.after) {
            (Some(before), Some(after)) => {
                let prompts = words::count(after.asked, "held-out prompt");
                let (from, to) = (rate(before), paint(STRONG, rate(after)));
                let counts = format!("({} and {} of {prompts})", before.exact, after.exact);
                let text = format!(
                    "{from} before {} {to} after  {}",
                    look.arrow(),
                    paint(FAINT, counts)
                );
                format!("{}\n", labelled("exact match", &text))
            }
            _ => String::new(),
        }
    }

    fn places(&self) -> String {
        let summary = &self.summary;
        let mut lines = vec![labelled("checkpoint", &summary.checkpoint)];
        if let Some(sampler) = &summary.sampler {
            lines.push(labelled("sampler", sampler));
        }
        lines.push(labelled("run folder", &summary.run_folder));
        lines.push(labelled("", &summary.files.join("  ")));
        lines.join("\n") + "\n"
    }

    fn suggestions(&self) -> String {
        let show = |next: &Suggestion| {
            format!("  {}\n    {}\n", next.purpose, paint(STRONG, &next.command))
        };
        self.summary.next.iter().map(show).collect()
    }
}

/// Colours the marks after the layout, which would count colour codes as text.
fn colour_marks(line: &str, look: Look) -> String {
    let mut line = line.to_owned();
    for (mark, style) in [(look.right(), GOOD), (look.wrong(), BAD)] {
        let spaced = format!("  {mark} ");
        line = line.replace(&spaced, &format!("  {} ", paint(style, mark)));
    }
    line
}

/// The loss over the steps.
pub(crate) fn curve(metrics: &[Step]) -> Curve {
    Curve {
        title: "loss, nats per token".to_owned(),
        x_label: "step".to_owned(),
        points: metrics
            .iter()
            .map(|step| (step.number as f64, step.loss))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
