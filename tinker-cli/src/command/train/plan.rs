//! What a run will do, settled before it does anything.

use serde::Serialize;
use tinker_data::EncodedDataset;
use tinker_types::CheckpointPath;

use super::schedule;
use crate::connect::BUILT_IN_MODEL;
use crate::look::Look;
use crate::report::Answer;
use crate::talk::labelled;
use crate::words;

/// Rank of an adapter unless another is asked for.
pub(crate) const DEFAULT_RANK: u32 = 16;

/// Settings of a run that the command line may leave open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) rank: Option<u32>,
    pub(crate) learning_rate: Option<f64>,
    pub(crate) batch_size: usize,
    pub(crate) epochs: Option<f64>,
    pub(crate) steps: Option<usize>,
    pub(crate) first_step: usize,
    pub(crate) seed: u64,
    pub(crate) eval_every: Option<usize>,
    pub(crate) save_every: Option<usize>,
}

/// The settings of a run, complete.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    pub(crate) model: String,
    /// A training checkpoint to begin with instead of a fresh adapter.
    pub(crate) resume: Option<CheckpointPath>,
    /// Rank of the adapter; `None` where the checkpoint decides.
    pub(crate) rank: Option<u32>,
    /// The highest of the schedule.
    pub(crate) learning_rate: f64,
    pub(crate) batch_size: usize,
    /// Number of the last step.
    pub(crate) steps: usize,
    /// Steps that were done by an earlier run.
    pub(crate) first_step: usize,
    pub(crate) epochs: f64,
    pub(crate) seed: u64,
    pub(crate) eval_every: Option<usize>,
    pub(crate) save_every: Option<usize>,
}

impl Plan {
    /// Fills in what was left open. The built-in model is small: it takes a high learning rate, and so many short
    /// steps that a small file is worth reading often.
    pub(crate) fn new(
        model: String,
        resume: Option<CheckpointPath>,
        examples: usize,
        wishes: Wishes,
    ) -> Self {
        let is_built_in = model == BUILT_IN_MODEL;
        let batch_size = wishes.batch_size.min(examples.max(1));
        let least_steps = if is_built_in { 150 } else { 1 };
        let steps = match (wishes.steps, wishes.epochs) {
            (Some(steps), _) => steps,
            (None, Some(epochs)) => schedule::steps(examples, batch_size, epochs),
            (None, None) => schedule::steps(examples, batch_size, 2.0).max(least_steps),
        };
        Self {
            rank: if resume.is_some() {
                None
            } else {
                Some(wishes.rank.unwrap_or(DEFAULT_RANK))
            },
            learning_rate: wishes
                .learning_rate
                .unwrap_or(if is_built_in { 3e-3 } else { 2e-4 }),
            model,
            resume,
            batch_size,
            steps,
            first_step: wishes.first_step.min(steps),
            epochs: (steps * batch_size) as f64 / examples.max(1) as f64,
            seed: wishes.seed,
            eval_every: wishes.eval_every,
            save_every: wishes.save_every,
        }
    }

    /// Tokens that the steps still to come read, about.
    pub(crate) fn tokens(&self, data: &EncodedDataset) -> usize {
        let batches = (self.steps - self.first_step) * self.batch_size;
        batches * data.tokens() / data.examples.len().max(1)
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!(
            "{} of {}, {}, ",
            words::count(self.steps - self.first_step, "step"),
            words::count(self.batch_size, "example"),
            epochs(self.epochs),
        );
        match (&self.resume, self.rank) {
            (Some(checkpoint), _) => text += &format!("from {checkpoint}, "),
            (None, Some(rank)) => text += &format!("LoRA rank {rank}, "),
            (None, None) => {}
        }
        text + &format!("learning rate {}", self.learning_rate)
    }
}

fn epochs(epochs: f64) -> String {
    let shown = format!("{epochs:.1}");
    match shown.strip_suffix(".0").unwrap_or(&shown) {
        "1" => "1 epoch".to_owned(),
        shown => format!("{shown} epochs"),
    }
}

/// What `--dry-run` prints.
#[derive(Debug, Serialize)]
pub(crate) struct DryRun<'a> {
    pub(crate) plan: &'a Plan,
    /// `local` or the address of a server.
    pub(crate) place: String,
    pub(crate) data: String,
    pub(crate) data_sha256: String,
    pub(crate) examples: usize,
    pub(crate) examples_left_out: usize,
    pub(crate) example_tokens: usize,
    pub(crate) longest_example_tokens: usize,
    pub(crate) held_out_prompts: usize,
    /// Tokens all steps together read, about.
    pub(crate) training_tokens: usize,
    /// Most tokens the two evaluations generate.
    pub(crate) sampling_tokens: usize,
    pub(crate) run_folder: String,
    pub(crate) checkpoint: &'a str,
}

impl Answer for DryRun<'_> {
    fn to_text(&self, _: Look) -> String {
        let number = |value: usize| words::number(value as u64);
        let lines = [
            (
                "would train",
                format!("{} on {}", self.plan.model, self.place),
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
                "tokens",
                format!(
                    "about {} read in training, at most {} generated for {} before and after",
                    number(self.training_tokens),
                    number(self.sampling_tokens),
                    words::count(self.held_out_prompts, "held-out prompt"),
                ),
            ),
            (
                "would save",
                format!("checkpoint {:?}, {}", self.checkpoint, self.run_folder),
            ),
        ];
        let lines: Vec<String> = lines
            .iter()
            .map(|(label, text)| labelled(label, text))
            .collect();
        format!("{}\n\nnothing was trained or written\n", lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Wishes = Wishes {
        rank: None,
        learning_rate: None,
        batch_size: 32,
        epochs: None,
        steps: None,
        first_step: 0,
        seed: 0,
        eval_every: None,
        save_every: None,
    };

    fn plan(model: &str, examples: usize, wishes: Wishes) -> Plan {
        Plan::new(model.to_owned(), None, examples, wishes)
    }

    #[test]
    fn small_files_are_read_often_by_the_small_model_only() {
        assert_eq!(plan(BUILT_IN_MODEL, 20, OPEN).steps, 150);
        assert_eq!(plan(BUILT_IN_MODEL, 20, OPEN).batch_size, 20);
        assert_eq!(plan("other", 20, OPEN).steps, 2);
        assert_eq!(plan(BUILT_IN_MODEL, 3200, OPEN).steps, 200);
    }

    #[test]
    fn what_was_asked_for_holds() {
        assert_eq!(
            plan(
                BUILT_IN_MODEL,
                320,
                Wishes {
                    epochs: Some(2.0),
                    ..OPEN
                }
            )
            .steps,
            20
        );
        assert_eq!(
            plan(
                BUILT_IN_MODEL,
                320,
                Wishes {
                    steps: Some(7),
                    ..OPEN
                }
            )
            .steps,
            7
        );
        let plan = plan(
            "other",
            320,
            Wishes {
                learning_rate: Some(0.5),
                rank: Some(4),
                ..OPEN
            },
        );
        assert_eq!(
            plan.describe(),
            "20 steps of 32 examples, 2 epochs, LoRA rank 4, learning rate 0.5"
        );
    }

    #[test]
    fn a_checkpoint_keeps_its_rank() {
        let plan = Plan::new(
            "m".into(),
            Some("tinker://a/weights/b".parse().unwrap()),
            32,
            OPEN,
        );
        assert_eq!(plan.rank, None);
        assert!(plan.describe().contains("from tinker://a/weights/b"));
    }
}
