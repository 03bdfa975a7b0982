//! Options that `train dpo` and `train rl` share.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use tinker_train::{Budget, Settings};
use tinker_types::CheckpointPath;

use super::adapter::AdapterArgs;
use super::given::Given;
use super::run_args::RunArgs;
use super::run_folder;
use super::start::Start;
use crate::connect::{Connection, DestinationArgs};
use crate::data_files::ReadArgs;

/// Options that `train dpo` and `train rl` share.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CommonArgs {
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
    #[command(flatten)]
    pub(super) adapter: AdapterArgs,
    /// Random seed of the initial adapter weights, the order of the examples and the samples.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Training")]
    pub(super) seed: u64,
    /// Also evaluate on the held-out examples every N steps.
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) eval_every: Option<NonZeroUsize>,
    /// Also save a checkpoint every N steps.
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) save_every: Option<NonZeroUsize>,
    /// Number of checkpoints to keep; older ones are removed [default: all].
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) keep: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) destination: DestinationArgs,
}

impl CommonArgs {
    /// The first file of the data; its name stands for all.
    pub(super) fn first_file(&self) -> &Path {
        self.data.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// The folder for the records of the run.
    pub(super) fn output(&self) -> PathBuf {
        let output = self.output.clone();
        output.unwrap_or_else(|| run_folder::default_path(self.first_file()))
    }

    /// The checkpoint to start from.
    pub(super) fn start(&self) -> anyhow::Result<Option<Start>> {
        self.resume.as_deref().map(Start::parse).transpose()
    }

    /// The settings of the loop.
    pub(super) fn settings(
        &self,
        steps: usize,
        learning_rate: f64,
        budget: Option<Budget>,
    ) -> Settings {
        let mut settings = Settings::new(steps, learning_rate);
        settings.budget = budget;
        settings.eval_every = self.eval_every.map(usize::from);
        settings.save_every = self.save_every.map(usize::from);
        settings.keep = self.keep.map(usize::from);
        settings.name.clone_from(&self.name);
        settings
    }

    /// The settings, with those that follow from the model.
    pub(super) fn complete(
        &self,
        model: &str,
        start: Option<&CheckpointPath>,
        connection: &Connection,
    ) -> Given {
        let mut given = self.run.given.clone();
        if let Some(path) = start {
            given.derive("resume", path, "the newest of that run");
        } else {
            given.derive_model(model);
            self.adapter.adapter().complete(&mut given);
        }
        self.run.complete(&mut given, connection);
        given
    }
}
