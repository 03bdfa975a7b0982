//! Result of a run and its output.

use comfy_table::{ContentArrangement, Row, Table, presets};
use serde::Serialize;
use tinker_train::{EndReason, Score, StepRow};

use crate::format::{self, labelled};
use crate::plot::{self, Curve};
use crate::report::Printable;
use crate::style::{BAD, FAINT, GOOD, LABEL, STRONG, TerminalStyle, paint};

/// Largest number of rows in the table.
const ROWS: usize = 8;
/// Position of a difference, in characters, that is in sight in a narrow table.
const IN_SIGHT: usize = 10;
/// Number of characters that are shown before the first difference.
const LEAD: usize = 4;
/// Largest number of characters of a text in the table.
const LONGEST: usize = 60;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Finished,
    Interrupted,
    OutOfBudget,
}

impl From<EndReason> for Status {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::OutOfBudget => Self::OutOfBudget,
            EndReason::Stopped => Self::Interrupted,
            _ => Self::Finished,
        }
    }
}

/// Summary of a run: the content of `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) status: Status,
    pub(crate) model: String,
    pub(crate) data: String,
    pub(crate) held_out: String,
    /// Number of the last step done.
    pub(crate) steps: usize,
    /// Number of tokens read in training.
    pub(crate) tokens: usize,
    /// Wall-clock time of the steps.
    pub(crate) seconds: f64,
    /// Nats per learned token, mean over the first ten steps.
    pub(crate) first_loss: Option<f64>,
    /// The same over the last ten steps.
    pub(crate) last_loss: Option<f64>,
    pub(crate) before: Option<Score>,
    pub(crate) after: Option<Score>,
    /// Checkpoint to continue training from.
    pub(crate) checkpoint: String,
    /// Checkpoint to sample from; `None` if the run was interrupted.
    pub(crate) sampler: Option<String>,
    pub(crate) run_folder: String,
    pub(crate) files: Vec<&'static str>,
    /// Suggested next commands.
    pub(crate) next: Vec<Suggestion>,
}

/// A suggested command, ready to be pasted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Suggestion {
    pub(crate) purpose: &'static str,
    pub(crate) command: String,
}

/// A held-out prompt and the answers of the model.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) line: usize,
    pub(crate) prompt: String,
    pub(crate) expected: String,
    pub(crate) before: GivenAnswer,
    /// `None` if the run was interrupted.
    pub(crate) after: Option<GivenAnswer>,
}

/// An answer, and whether it is the expected one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GivenAnswer {
    pub(crate) text: String,
    pub(crate) exact: bool,
}

/// The complete result of a run: the output of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) summary: Summary,
    pub(crate) samples: Vec<Sample>,
    pub(crate) metrics: Vec<StepRow>,
}

impl Printable for Outcome {
    fn to_text(&self, style: TerminalStyle) -> String {
        let parts = [
            self.table(style),
            self.rates(style),
            plot::terminal(&curve(&self.metrics), style, plot::HEIGHT),
            self.locations(),
            self.suggestions(),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("\n{}", parts.join("\n"))
    }
}

impl Outcome {
    /// The table of answers. Its rows are spread evenly over the held-out prompts, without selection.
    fn table(&self, style: TerminalStyle) -> String {
        if self.samples.iter().all(|row| row.after.is_none()) {
            return String::new();
        }
        let shown = |text: &str| format::one_line(text, LONGEST, style.unicode);
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_truncation_indicator(style.ellipsis())
            // Texts are cut within words, too: the last one may be the answer.
            .set_delimiter('\0')
            .set_width((style.width - 2) as u16)
            .set_header(["prompt", "expected", "before", "after"]);
        for row in self.shown() {
            let skipped = row.same_beginning();
            let shown = |text: &str| shown(&from(text, skipped, style.ellipsis()));
            let marked = |given: &GivenAnswer| {
                let mark = if given.exact {
                    style.right()
                } else {
                    style.wrong()
                };
                format!("{mark} {}", shown(&given.text))
            };
            let after = row.after.as_ref().map(marked).unwrap_or_default();
            let mut cells = Row::from([
                format::one_line(&row.prompt, LONGEST, style.unicode),
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
                colour_marks(line, style)
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
        shown_rows(self.samples.len()).map(|row| &self.samples[row])
    }

    fn rates(&self, style: TerminalStyle) -> String {
        let rate = |score: &Score| format!("{:.2}", score.rate);
        match (&self.summary.before, &self.summary.after) {
            (Some(before), Some(after)) => {
                let prompts = format::count(after.asked, "held-out prompt");
                let (from, to) = (rate(before), paint(STRONG, rate(after)));
                let counts = format!("({} and {} of {prompts})", before.exact, after.exact);
                let text = format!(
                    "{from} before {} {to} after  {}",
                    style.arrow(),
                    paint(FAINT, counts)
                );
                format!("{}\n", labelled(LABEL, "exact match", &text))
            }
            _ => String::new(),
        }
    }

    fn locations(&self) -> String {
        let summary = &self.summary;
        let mut lines = vec![labelled(LABEL, "checkpoint", &summary.checkpoint)];
        if let Some(sampler) = &summary.sampler {
            lines.push(labelled(LABEL, "sampler", sampler));
        }
        lines.push(labelled(LABEL, "run folder", &summary.run_folder));
        lines.push(labelled(LABEL, "", &summary.files.join("  ")));
        lines.join("\n") + "\n"
    }

    fn suggestions(&self) -> String {
        let show = |next: &Suggestion| {
            format!("  {}\n    {}\n", next.purpose, paint(STRONG, &next.command))
        };
        self.summary.next.iter().map(show).collect()
    }
}

/// Indices of the rows that the table shows, of `count` rows.
pub(crate) fn shown_rows(count: usize) -> impl Iterator<Item = usize> {
    let rows = count.min(ROWS);
    (0..rows).map(move |row| row * count / rows)
}

impl Sample {
    /// Number of characters at the start to leave out, so that the first difference to the expected answer is in sight.
    fn same_beginning(&self) -> usize {
        let expected = self.expected.trim();
        let given = [Some(&self.before), self.after.as_ref()];
        let wrong = given.into_iter().flatten().filter(|given| !given.exact);
        let same = wrong.map(|given| {
            let pairs = expected.chars().zip(given.text.trim().chars());
            pairs.take_while(|(a, b)| a == b).count()
        });
        let same = same.min().unwrap_or(0);
        if same > IN_SIGHT { same - LEAD } else { 0 }
    }
}

/// A text without its first characters.
fn from(text: &str, skipped: usize, ellipsis: &str) -> String {
    match skipped {
        0 => text.to_owned(),
        skipped => {
            let rest = text.trim().chars().skip(skipped);
            format!("{ellipsis}{}", rest.collect::<String>())
        }
    }
}

/// Colours the marks. Done after the layout, which would count colour codes as text.
fn colour_marks(line: &str, style: TerminalStyle) -> String {
    let mut line = line.to_owned();
    for (mark, style) in [(style.right(), GOOD), (style.wrong(), BAD)] {
        let spaced = format!("  {mark} ");
        line = line.replace(&spaced, &format!("  {} ", paint(style, mark)));
    }
    line
}

/// Curve of the loss over the steps.
pub(crate) fn curve(metrics: &[StepRow]) -> Curve {
    Curve {
        title: "loss, nats per token".to_owned(),
        x_label: "step".to_owned(),
        points: metrics
            .iter()
            .filter_map(|step| Some((step.number as f64, step.loss?)))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
