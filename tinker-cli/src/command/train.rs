//! `tinker train`

mod evaluate;
mod job;
mod pace;
mod plan;
mod record;
mod run;
mod run_folder;
mod schedule;
mod source;
mod split;
mod steps;
mod suggest;
mod summary;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

pub(crate) use run::run;
pub(crate) use steps::Diverged;

use crate::connect::PlaceArgs;

/// Fine-tune a model on examples, and show what it learned.
///
/// Held-out prompts are asked before and after, and the answers shown side by side.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Data, one of these on each line:
  {\"prompt\": \"...\", \"completion\": \"...\"}
  {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}, {\"role\": \"assistant\", \"content\": \"...\"}]}

Examples:
  tinker train examples/data/pig-latin.jsonl
  tinker train chats.jsonl --eval questions.jsonl --epochs 5 --output runs/chats
  tinker train more.jsonl --resume tinker://RUN/weights/final
  tinker train chats.jsonl --model ~/models/Qwen3-0.6B --batch-size 4
  tinker train data.jsonl --dry-run")]
pub(crate) struct Args {
    /// Examples, one JSON object per line.
    data: PathBuf,
    /// Held-out examples [default: DATA-eval.jsonl if it is there, else 5 % of DATA].
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Base model, or folder of a Hugging Face model [default: the built-in model].
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Begin with a training checkpoint instead of a fresh adapter.
    #[arg(long, value_name = "TINKER_PATH", conflicts_with_all = ["model", "rank"])]
    resume: Option<String>,
    /// Name of the checkpoint to save.
    #[arg(long, default_value = "final")]
    name: String,
    /// Folder of the run's records [default: runs/DATA-TIME].
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Check the data, show what would be done, and stop.
    #[arg(long)]
    dry_run: bool,

    /// Rank of the LoRA adapter [default: 16].
    #[arg(long, help_heading = "Training")]
    rank: Option<NonZeroU32>,
    /// Highest learning rate [default: 0.003 for the built-in model, 0.0002 for others].
    #[arg(long, value_name = "RATE", value_parser = positive, allow_negative_numbers = true, help_heading = "Training")]
    learning_rate: Option<f64>,
    /// Examples of one step.
    #[arg(
        long,
        value_name = "N",
        default_value = "32",
        help_heading = "Training"
    )]
    batch_size: NonZeroUsize,
    /// Passes over the data [default: 2, and more on a small file with the built-in model].
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true, conflicts_with = "steps", help_heading = "Training")]
    epochs: Option<f64>,
    /// Steps, instead of epochs.
    #[arg(long, value_name = "N", help_heading = "Training")]
    steps: Option<NonZeroUsize>,
    /// Steps that an interrupted run has done; with its other options, the same order of examples goes on.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "resume",
        help_heading = "Training"
    )]
    first_step: usize,
    /// Fixes the adapter's first weights and the order of the examples.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Training")]
    seed: u64,
    /// Leave out examples of more tokens, instead of stopping at them.
    #[arg(long, value_name = "TOKENS", help_heading = "Training")]
    max_length: Option<NonZeroUsize>,
    /// Ask the held-out prompts every N steps, too.
    #[arg(long, value_name = "N", help_heading = "Training")]
    eval_every: Option<NonZeroUsize>,
    /// Save a checkpoint every N steps, too.
    #[arg(long, value_name = "N", help_heading = "Training")]
    save_every: Option<NonZeroUsize>,
    #[command(flatten)]
    place: PlaceArgs,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        Ok(_) => Err("must be above 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
