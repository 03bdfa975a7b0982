//! The result of a run of `train dpo` or `train rl`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::summary::{Status, Suggestion};
use crate::format::{self, labelled};
use crate::report::Printable;
use crate::style::{LABEL, STRONG, TerminalStyle, paint};

/// The result of a run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) recipe: &'static str,
    pub(super) status: Status,
    pub(super) model: String,
    pub(super) data: String,
    pub(super) steps: usize,
    pub(super) tokens: usize,
    pub(super) seconds: f64,
    /// Metrics on the held-out examples before training.
    pub(super) before: BTreeMap<String, f64>,
    pub(super) after: Option<BTreeMap<String, f64>>,
    pub(super) checkpoint: String,
    pub(super) sampler: Option<String>,
    pub(super) run_folder: String,
    pub(super) next: Vec<Suggestion>,
}

impl Printable for Summary {
    fn to_text(&self, style: TerminalStyle) -> String {
        let mut text = String::from("\n");
        for (name, before) in &self.before {
            let after = self.after.as_ref().and_then(|after| after.get(name));
            if let Some(after) = after {
                let line = format!(
                    "{before:.2} before {} {} after",
                    style.arrow(),
                    paint(STRONG, format!("{after:.2}"))
                );
                text += &format!(
                    "{}\n",
                    labelled(
                        LABEL,
                        "held out",
                        &format!("{}: {line}", name.replace('_', " "))
                    )
                );
            }
        }
        let steps = format::count(self.steps, "step");
        text += &format!("{}\n", labelled(LABEL, "steps", &steps));
        text += &format!("{}\n", labelled(LABEL, "checkpoint", &self.checkpoint));
        if let Some(sampler) = &self.sampler {
            text += &format!("{}\n", labelled(LABEL, "sampler", sampler));
        }
        text += &format!("{}\n\n", labelled(LABEL, "run folder", &self.run_folder));
        for next in &self.next {
            text += &format!("  {}\n    {}\n", next.purpose, paint(STRONG, &next.command));
        }
        text
    }
}
