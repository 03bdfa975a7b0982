//! Arguments of `tinker train`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::adapter::AdapterArgs;
use super::run_args::RunArgs;
use crate::connect::DestinationArgs;
use crate::data_files::{ReadArgs, weight};
use crate::encoding::EncodeArgs;

/// Fine-tune a model on examples, and show what it learned.
///
/// Samples answers to held-out prompts before and after training, and prints them side by side.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each row of the data is one of:
  {\"prompt\": \"...\", \"completion\": \"...\"}
  {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}, {\"role\": \"assistant\", \"content\": \"...\"}]}
  {\"conversations\": [{\"from\": \"human\", \"value\": \"...\"}, {\"from\": \"gpt\", \"value\": \"...\"}]}
  {\"instruction\": \"...\", \"input\": \"...\", \"output\": \"...\"}
  {\"question\": \"...\", \"answer\": \"...\"}
  {\"text\": \"...\"}
  {\"tokens\": [1, 2], \"weights\": [0, 1]}
in JSON Lines, one JSON list, CSV or TSV with a header, or one of these compressed with gzip or zstd.

Examples:
  tinker train examples/data/pig-latin.jsonl
  tinker train chats.jsonl --eval questions.jsonl --epochs 5 --output runs/chats
  tinker train more.jsonl --resume tinker://RUN/weights/final
  tinker train chats.jsonl --model ~/models/Qwen3-0.6B --batch-size 4 --train attention,mlp
  tinker train math.jsonl prose.jsonl --mix 2,0.5
  zcat chats.jsonl.gz | tinker train - --eval questions.jsonl
  tinker train data.jsonl --dry-run
  tinker train data.jsonl --dry-run --show-resolved > recipe.toml
  tinker train recipe.toml --set rank=8 --budget 2h
  tinker train data.jsonl --branch runs/chats@200 --weights-only")]
pub(crate) struct Args {
    /// Files of examples, patterns such as 'data/*.jsonl', or `-` for standard input; or a recipe file, RECIPE.toml.
    #[arg(required = true, value_name = "DATA")]
    pub(super) data: Vec<PathBuf>,
    /// Held-out examples [default: DATA-eval.jsonl if it exists, else 5 % of DATA].
    #[arg(long, value_name = "FILE")]
    pub(super) eval: Option<PathBuf>,
    /// Base model, or folder of a Hugging Face model [default: the built-in model].
    #[arg(short, long, value_name = "MODEL")]
    pub(super) model: Option<String>,
    /// Start from a training checkpoint instead of a fresh adapter: its tinker:// address, or a run id, a run folder or
    /// `latest` for the newest one of that run.
    #[arg(long, value_name = "CHECKPOINT", add = crate::completion::checkpoints(), conflicts_with_all = ["model", "rank", "alpha", "train"])]
    pub(super) resume: Option<String>,
    /// Name of the checkpoint to save.
    #[arg(long, default_value = "final")]
    pub(super) name: String,
    /// Folder for the records of the run [default: runs/DATA-TIME].
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) read: ReadArgs,
    /// Number of times that the examples of each file are taken, in the order of the files: 2 takes them twice, 0.5 a
    /// random half.
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',', value_parser = weight, help_heading = "Data")]
    pub(super) mix: Vec<f64>,
    /// Encode the data anew, and do not keep the result in the cache folder.
    #[arg(long, help_heading = "Data")]
    pub(super) no_cache: bool,
    #[command(flatten)]
    pub(super) adapter: AdapterArgs,
    /// Peak learning rate [default: by the model's family and hidden size; 0.003 for the built-in model, 0.0002 for unknown ones].
    #[arg(long, value_name = "RATE", value_parser = positive, allow_negative_numbers = true, help_heading = "Training")]
    pub(super) learning_rate: Option<f64>,
    /// Examples per step.
    #[arg(
        long,
        value_name = "N",
        default_value = "32",
        help_heading = "Training"
    )]
    pub(super) batch_size: NonZeroUsize,
    /// Passes over the data [default: 2, more for a small file with the built-in model].
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true, conflicts_with = "steps", help_heading = "Training")]
    pub(super) epochs: Option<f64>,
    /// Number of steps, instead of epochs.
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) steps: Option<NonZeroUsize>,
    /// Number of steps that an interrupted run has done. With the other options of that run, training continues in the
    /// same order of examples.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "resume",
        help_heading = "Training"
    )]
    pub(super) first_step: usize,
    /// Random seed of the initial adapter weights and the order of the examples.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Training")]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) encode: EncodeArgs,
    /// Also evaluate on the held-out prompts every N steps.
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) eval_every: Option<NonZeroUsize>,
    /// Also save a checkpoint every N steps.
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) save_every: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) destination: DestinationArgs,
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        Ok(_) => Err("must be greater than 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Args {
    /// The first file of the data; its name stands for all.
    pub(super) fn first_file(&self) -> &Path {
        self.data.first().map_or(Path::new(""), PathBuf::as_path)
    }
}

#[cfg(test)]
impl Args {
    /// Parses `tinker train data.jsonl` with options.
    pub(super) fn parsed(options: &[&str]) -> Self {
        let line = [&["data.jsonl"], options].concat();
        let (mut args, given) = super::resolve::of_words::<Self>("supervised", &line);
        args.run.given = given;
        args
    }
}
