//! Plan of a run: its settings, complete before the run starts.

use serde::Serialize;
use tinker_data::{EncodedCounts, EncodedQuestions};
use tinker_train::TokenCounts;
use tinker_types::CheckpointPath;

use super::adapter::Adapter;
use super::args::Args;
use super::estimate::Estimate;
use super::given::Given;
use super::rate::Rate;
use crate::connect::BUILT_IN_MODEL;
use crate::format::{self, labelled};
use crate::report::Printable;
use crate::style::{LABEL, TerminalStyle};

/// A run with fewer steps teaches little.
const FEW_STEPS: usize = 20;

/// The settings of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    pub(crate) model: String,
    /// Training checkpoint to start from instead of a fresh adapter.
    pub(crate) resume: Option<CheckpointPath>,
    /// The new adapter; `None` with a checkpoint, which has one.
    #[serde(flatten)]
    pub(crate) adapter: Option<Adapter>,
    /// Peak of the schedule.
    pub(crate) learning_rate: f64,
    pub(crate) batch_size: usize,
    /// Number of steps, those of an earlier run included.
    pub(crate) steps: usize,
    /// Number of steps done by an earlier run.
    pub(crate) first_step: usize,
    pub(crate) epochs: f64,
    pub(crate) seed: u64,
    pub(crate) eval_every: Option<usize>,
    pub(crate) save_every: Option<usize>,
}

impl Plan {
    /// Completes the arguments with defaults. The built-in model is small: it takes a high learning rate, and its steps
    /// are so short that a small file gets more epochs.
    pub(crate) fn new(
        args: &Args,
        model: String,
        resume: Option<CheckpointPath>,
        examples: usize,
        by_model: &Rate,
    ) -> Self {
        let is_built_in = model == BUILT_IN_MODEL;
        let batch_size = args.batch_size.get().min(examples.max(1));
        let least_steps = if is_built_in { 150 } else { 1 };
        let steps = match (args.steps, args.epochs) {
            (Some(steps), _) => steps.get(),
            (None, Some(epochs)) => tinker_train::steps(examples, batch_size, epochs),
            (None, None) => tinker_train::steps(examples, batch_size, 2.0).max(least_steps),
        };
        Self {
            adapter: resume.is_none().then(|| args.adapter.adapter()),
            learning_rate: args.learning_rate.unwrap_or(by_model.value),
            model,
            resume,
            batch_size,
            steps,
            first_step: args.first_step.min(steps),
            epochs: (steps * batch_size) as f64 / examples.max(1) as f64,
            seed: args.seed,
            eval_every: args.eval_every.map(usize::from),
            save_every: args.save_every.map(usize::from),
        }
    }

    /// Fills in the settings that follow from the model and the data.
    pub(crate) fn complete(&self, given: &mut Given, by_model: &Rate) {
        if let Some(path) = &self.resume {
            given.derive("resume", path, "the newest of that run");
        }
        match &self.adapter {
            Some(adapter) => {
                given.derive_model(&self.model);
                adapter.complete(given);
            }
            None => given.derive("rank", &"", "that of the checkpoint"),
        }
        given.derive("learning_rate", &self.learning_rate, &by_model.why);
        given.derive("batch_size", &self.batch_size, "at most the data");
        given.derive(
            "steps",
            &self.steps,
            "two epochs, more for a small file with the built-in model",
        );
    }

    /// Approximate number of tokens that the remaining steps read.
    pub(crate) fn tokens(&self, data: &EncodedCounts) -> usize {
        let batches = (self.steps - self.first_step) * self.batch_size;
        batches * data.tokens / data.sequences.max(1)
    }

    /// Largest numbers of tokens of the run with its evaluations, but for those of batches, which are approximate.
    pub(crate) fn token_counts(
        &self,
        data: &EncodedCounts,
        questions: &EncodedQuestions,
    ) -> TokenCounts {
        // Before, after, and on the way.
        let on_the_way = self
            .eval_every
            .map_or(0, |every| (self.steps - self.first_step) / every);
        let evaluations = 2 + on_the_way;
        let prompts = questions
            .requests
            .iter()
            .filter_map(|(prompt, _)| prompt.length().ok());
        TokenCounts::new(
            (evaluations * prompts.sum::<usize>()) as u64,
            (evaluations * questions.max_tokens()) as u64,
            self.tokens(data) as u64,
        )
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!(
            "{} of {}, {}, ",
            format::count(self.steps - self.first_step, "step"),
            format::count(self.batch_size, "example"),
            epochs(self.epochs),
        );
        match (&self.resume, &self.adapter) {
            (Some(checkpoint), _) => text += &format!("from {checkpoint}, "),
            (None, Some(adapter)) => text += &format!("{}, ", adapter.describe()),
            (None, None) => {}
        }
        text + &format!("learning rate {}", self.learning_rate)
    }

    /// Points out a run that is too short to learn much because the file is small.
    pub(crate) fn too_short(&self, args: &Args) -> Option<String> {
        let is_chosen = args.steps.is_some() || args.epochs.is_some() || self.resume.is_some();
        (!is_chosen && self.steps < FEW_STEPS).then(|| {
            format!(
                "{} change little; --epochs and --steps make a longer run, a smaller --batch-size more steps",
                format::count(self.steps, "step")
            )
        })
    }
}

fn epochs(epochs: f64) -> String {
    let shown = format!("{epochs:.1}");
    match shown.strip_suffix(".0").unwrap_or(&shown) {
        "1" => "1 epoch".to_owned(),
        shown => format!("{shown} epochs"),
    }
}

/// Result of `--dry-run`.
#[derive(Debug, Serialize)]
pub(crate) struct DryRun<'a> {
    pub(crate) plan: &'a Plan,
    /// `the local engine` or the address of a server.
    #[serde(rename = "place")]
    pub(crate) destination: &'a str,
    pub(crate) data: String,
    pub(crate) data_sha256: String,
    pub(crate) examples: usize,
    pub(crate) examples_left_out: usize,
    pub(crate) example_tokens: usize,
    pub(crate) longest_example_tokens: usize,
    pub(crate) held_out_prompts: usize,
    /// Approximate number of tokens that all steps read.
    pub(crate) training_tokens: usize,
    /// Largest number of tokens that the evaluations generate.
    pub(crate) sampling_tokens: usize,
    pub(crate) run_folder: String,
    pub(crate) checkpoint: &'a str,
    #[serde(flatten)]
    pub(crate) estimate: Estimate,
    /// Every setting with its origin, if `--show-resolved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recipe: Option<&'a Given>,
}

impl Printable for DryRun<'_> {
    fn to_text(&self, _: TerminalStyle) -> String {
        let number = |value: usize| format::number(value as u64);
        let lines = [
            (
                "would train",
                format!("{} on {}", self.plan.model, self.destination),
            ),
            (
                "examples",
                format!(
                    "{}, {} tokens, the longest {}",
                    number(self.examples),
                    number(self.example_tokens),
                    number(self.longest_example_tokens)
                ),
            ),
            ("steps", self.plan.describe()),
            (
                "data",
                format!(
                    "about {} read in training, at most {} generated for {}",
                    number(self.training_tokens),
                    number(self.sampling_tokens),
                    format::count(self.held_out_prompts, "held-out prompt"),
                ),
            ),
            (
                "would save",
                format!("checkpoint {:?}, {}", self.checkpoint, self.run_folder),
            ),
        ];
        let mut lines: Vec<String> = lines
            .iter()
            .map(|(label, text)| labelled(LABEL, label, text))
            .collect();
        lines.extend(self.estimate.lines());
        let next = self.estimate.next();
        format!(
            "{}\n\nnothing was trained or written\n\n{next}",
            lines.join("\n")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::rate;
    use super::*;

    fn plan(model: &str, examples: usize, options: &[&str]) -> Plan {
        let rate = rate::supervised(model, None);
        Plan::new(
            &Args::parsed(options),
            model.to_owned(),
            None,
            examples,
            &rate,
        )
    }

    #[test]
    fn small_files_get_more_epochs_with_the_built_in_model_only() {
        assert_eq!(plan(BUILT_IN_MODEL, 20, &[]).steps, 150);
        assert_eq!(plan(BUILT_IN_MODEL, 20, &[]).batch_size, 20);
        assert_eq!(plan("other", 20, &[]).steps, 2);
        assert_eq!(plan(BUILT_IN_MODEL, 3200, &[]).steps, 200);
    }

    #[test]
    fn requested_settings_are_kept() {
        let steps = |options| plan(BUILT_IN_MODEL, 320, options).steps;
        assert_eq!(steps(&["--epochs", "2"]), 20);
        assert_eq!(steps(&["--steps", "7"]), 7);
        let plan = plan("other", 320, &["--learning-rate", "0.5", "--rank", "4"]);
        assert_eq!(
            plan.describe(),
            "20 steps of 32 examples, 2 epochs, LoRA rank 4, learning rate 0.5"
        );
    }

    #[test]
    fn a_checkpoint_keeps_its_rank() {
        let resume = Some("tinker://a/weights/b".parse().unwrap());
        let rate = rate::supervised("m", None);
        let plan = Plan::new(&Args::parsed(&[]), "m".into(), resume, 32, &rate);
        assert_eq!(plan.adapter, None);
        assert!(plan.describe().contains("from tinker://a/weights/b"));
    }
}
