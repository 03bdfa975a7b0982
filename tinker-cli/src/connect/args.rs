//! Options that select the destination of a command.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::server::Server;
use super::template::TemplateArgs;

/// Name of the model that is part of the engine.
pub(crate) const BUILT_IN_MODEL: &str = "tinker-local/tiny";

/// Options that select the destination of a command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Where to run")]
pub(crate) struct DestinationArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// Use the built-in engine, even if the environment or a profile names a server.
    #[arg(long, conflicts_with_all = ["base_url", "server"])]
    pub(super) local: bool,
    /// The tokenizer.json of the model, its folder, or a name on the Hugging Face Hub [default: the one that the server
    /// names: its folder, else the cache of the Hub, else the Hub].
    #[arg(long, value_name = "PATH")]
    pub(super) tokenizer: Option<PathBuf>,
    #[command(flatten)]
    pub(super) template: TemplateArgs,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// Options that name a server.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerArgs {
    /// Address of a Tinker server [default: TINKER_BASE_URL; the hosted service if only TINKER_API_KEY is set; the
    /// default profile; a running `tinker serve`; the built-in engine if there is none of these].
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// Name of a server: a profile, or a built-in one such as skyrl or tuft; `tinker config list` shows them.
    #[arg(long, value_name = "NAME", conflicts_with = "base_url")]
    pub(super) server: Option<String>,
}

impl ServerArgs {
    /// The options with these values.
    pub(crate) fn new(base_url: Option<String>, server: Option<String>) -> Self {
        Self { base_url, server }
    }

    /// The server that options, environment or profiles name.
    pub(crate) fn named(&self) -> anyhow::Result<Option<Server>> {
        Server::named(self.base_url.as_deref(), self.server.as_deref())
    }

    /// The same options, or a server given as a positional argument: an address or a name.
    pub(crate) fn with_target(&self, target: Option<&str>) -> Self {
        match target.map(str::to_owned) {
            None => self.clone(),
            Some(target) if target.contains(['/', ':']) => Self {
                base_url: Some(target),
                server: None,
            },
            Some(target) => Self {
                base_url: None,
                server: Some(target),
            },
        }
    }

    /// A server given as a positional argument: an address or a name.
    #[cfg(feature = "local")]
    pub(crate) fn of_target(target: &str) -> Self {
        let none = Self {
            base_url: None,
            server: None,
        };
        none.with_target(Some(target))
    }

    /// The named server, else a running `tinker serve`.
    pub(crate) fn find(&self) -> anyhow::Result<Option<Server>> {
        let server = self.named()?;
        #[cfg(feature = "local")]
        let server = server.or_else(Server::running);
        Ok(server)
    }
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
    /// The options that select the chat template.
    pub(crate) fn template(&self) -> &TemplateArgs {
        &self.template
    }

    /// The options as shell words, for a suggested command with the same destination.
    pub(crate) fn to_words(&self) -> Vec<String> {
        [self.place_words(), self.encoding_words()].concat()
    }

    /// The options that decide how texts become tokens, as shell words.
    pub(crate) fn encoding_words(&self) -> Vec<String> {
        let folder = self
            .tokenizer
            .as_ref()
            .map(|path| path.display().to_string());
        let tokenizer = folder.into_iter();
        let mut words: Vec<String> = tokenizer
            .flat_map(|folder| ["--tokenizer".to_owned(), folder])
            .collect();
        words.extend(self.template.to_words());
        words
    }

    /// The other options, as shell words.
    pub(crate) fn place_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.local {
            words.push("--local".to_owned());
        }
        if self.engine.known_tokens {
            words.push("--known-tokens".to_owned());
        }
        let folder = |path: &PathBuf| path.display().to_string();
        for (name, value) in [
            ("--base-url", self.server.base_url.clone()),
            ("--server", self.server.server.clone()),
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
