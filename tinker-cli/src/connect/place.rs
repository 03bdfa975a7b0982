//! Options that say where a command runs.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Options that say where a command runs.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Where to run")]
pub(crate) struct PlaceArgs {
    /// Address of a Tinker server [default: TINKER_BASE_URL; the hosted service if only TINKER_API_KEY is set; the
    /// built-in engine if neither is].
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// Use the built-in engine, whatever the environment says.
    #[arg(long, conflicts_with = "base_url")]
    pub(super) local: bool,
    /// The tokenizer.json of the model, or its folder [default: as the server says, if that is on this machine].
    #[arg(long, value_name = "PATH")]
    pub(super) tokenizer: Option<PathBuf>,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// Options of the built-in engine.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Built-in engine")]
pub(crate) struct EngineArgs {
    /// Folder of checkpoints [default: ~/.tinker/local].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Threads to compute with [default: all cores].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Longest sequence of a folder's model [default: the model's own, at most 32768].
    #[arg(long, value_name = "TOKENS")]
    pub(crate) context: Option<NonZeroUsize>,
    /// Weights to generate tokens with. int8 is faster for a large model and few sequences; log probabilities of samples
    /// are then those of the rounded weights. Training and prompts are exact either way.
    #[arg(long, value_name = "WEIGHTS", value_enum, default_value_t)]
    pub(crate) decode: DecodeArg,
}

/// Weights to generate tokens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum DecodeArg {
    /// Those of the model's files.
    #[default]
    Exact,
    /// Rounded to 8 bits.
    Int8,
}

impl PlaceArgs {
    /// The options to repeat in a command that is to run at the same place.
    pub(crate) fn to_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.local {
            words.push("--local".to_owned());
        }
        let folder = |path: &PathBuf| path.display().to_string();
        for (name, value) in [
            ("--base-url", self.base_url.clone()),
            ("--tokenizer", self.tokenizer.as_ref().map(folder)),
            ("--data-dir", self.engine.data_dir.as_ref().map(folder)),
            (
                "--context",
                self.engine.context.map(|most| most.to_string()),
            ),
            (
                "--decode",
                (self.engine.decode == DecodeArg::Int8).then(|| "int8".to_owned()),
            ),
        ] {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        }
        words
    }
}
