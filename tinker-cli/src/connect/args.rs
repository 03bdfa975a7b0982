//! Options that select the destination of a command.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Name of the model that is part of the engine.
pub(crate) const BUILT_IN_MODEL: &str = "tinker-local/tiny";

/// Options that select the destination of a command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Where to run")]
pub(crate) struct DestinationArgs {
    /// Address of a Tinker server [default: TINKER_BASE_URL; the hosted service if only TINKER_API_KEY is set; the
    /// built-in engine if neither is].
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// Use the built-in engine, even if the environment names a server.
    #[arg(long, conflicts_with = "base_url")]
    pub(super) local: bool,
    /// The tokenizer.json of the model, or its folder [default: the one that the server names, if it is on this machine].
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
    /// Number of compute threads [default: all cores].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Longest sequence of a model loaded from a folder [default: the limit of the model, at most 32768].
    #[arg(long, value_name = "TOKENS")]
    pub(crate) context: Option<NonZeroUsize>,
    /// Precision of the weights for generating tokens. int8 is faster for a large model and few sequences; the log
    /// probabilities of samples are then those of the rounded weights. Training and prompts are exact either way.
    #[arg(long, value_name = "WEIGHTS", value_enum, default_value_t)]
    pub(crate) decode: DecodeArg,
    /// Draw only ids that the tokenizer of the model has; many models have more ids than tokens. For models loaded from a
    /// folder.
    #[arg(long)]
    pub(crate) known_tokens: bool,
}

/// Precision of the weights for generating tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum DecodeArg {
    /// As in the files of the model.
    #[default]
    Exact,
    /// Rounded to 8 bits.
    Int8,
}

impl DestinationArgs {
    /// The options as shell words, for a suggested command with the same destination.
    pub(crate) fn to_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.local {
            words.push("--local".to_owned());
        }
        if self.engine.known_tokens {
            words.push("--known-tokens".to_owned());
        }
        let folder = |path: &PathBuf| path.display().to_string();
        for (name, value) in [
            ("--base-url", self.base_url.clone()),
            ("--tokenizer", self.tokenizer.as_ref().map(folder)),
            ("--data-dir", self.engine.data_dir.as_ref().map(folder)),
            (
                "--context",
                self.engine.context.map(|tokens| tokens.to_string()),
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
