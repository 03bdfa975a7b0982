//! Result of `--dry-run` of `train dpo` and `train rl`.

use serde::Serialize;

use super::estimate::Estimate;
use super::given::Given;
use crate::format::labelled;
use crate::report::Printable;
use crate::style::{LABEL, TerminalStyle};

/// Result of `--dry-run`.
#[derive(Debug, Serialize)]
pub(super) struct Check<'a, S> {
    #[serde(rename = "kind")]
    pub(super) recipe: &'static str,
    pub(super) model: &'a str,
    #[serde(rename = "place")]
    pub(super) destination: &'a str,
    pub(super) plan: &'a str,
    pub(super) data_sha256: &'a str,
    pub(super) examples: usize,
    pub(super) held_out: usize,
    pub(super) run_folder: String,
    #[serde(rename = "settings")]
    pub(super) settings: S,
    #[serde(flatten)]
    pub(super) estimate: Estimate,
    #[serde(rename = "recipe", skip_serializing_if = "Option::is_none")]
    pub(super) resolved: Option<&'a Given>,
}

impl<S: Serialize> Printable for Check<'_, S> {
    fn to_text(&self, _: TerminalStyle) -> String {
        let mut lines = vec![
            labelled(
                LABEL,
                "would train",
                &format!("{} on {}", self.model, self.destination),
            ),
            labelled(LABEL, "plan", self.plan),
        ];
        lines.extend(self.estimate.lines());
        lines.push(labelled(LABEL, "would save", &self.run_folder));
        let next = self.estimate.next();
        format!(
            "{}\n\nnothing was trained or written\n\n{next}",
            lines.join("\n")
        )
    }
}
