//! Shape of a new adapter: rank, scaling, and the parts of the model that it trains.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use tinker_client::LoraConfig;

use super::given::Given;

/// Rank of the adapter by default.
const DEFAULT_RANK: u32 = 16;

/// A part of the model that an adapter can train.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// Projections of the attention.
    Attention,
    /// Projections of the feed-forward network.
    Mlp,
    /// The output head.
    Unembed,
}

fn all() -> BTreeSet<Part> {
    [Part::Attention, Part::Mlp, Part::Unembed].into()
}

/// Options of a new adapter.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct AdapterArgs {
    /// Rank of the LoRA adapter [default: 16].
    #[arg(long, help_heading = "Training")]
    rank: Option<NonZeroU32>,
    /// Numerator of the scaling alpha / rank [default: chosen by the server; 32 with the built-in engine]. Only
    /// the built-in engine and `tinker serve` take it.
    #[arg(long, value_name = "N", help_heading = "Training")]
    alpha: Option<NonZeroU32>,
    /// Parts of the model to train, separated by commas [default: attention,mlp,unembed]. vLLM and SGLang serve adapters
    /// without `unembed` only, if the head of the model is tied to its embedding.
    #[arg(
        long,
        value_name = "PARTS",
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = "Training"
    )]
    train: Vec<Part>,
}

impl AdapterArgs {
    /// Completes the options with defaults.
    pub(super) fn adapter(&self) -> Adapter {
        let train: BTreeSet<Part> = self.train.iter().copied().collect();
        Adapter {
            rank: self.rank.map_or(DEFAULT_RANK, u32::from),
            alpha: self.alpha.map(u32::from),
            train: if train.is_empty() { all() } else { train },
        }
    }
}

/// The shape of a new adapter. Part of `config.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Adapter {
    rank: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha: Option<u32>,
    #[serde(default = "all")]
    train: BTreeSet<Part>,
}

impl Adapter {
    /// The adapter as the API takes it.
    pub(super) fn lora_config(&self, seed: u64) -> LoraConfig {
        let mut lora = LoraConfig::new(self.rank).with_seed(seed);
        lora.alpha = self.alpha;
        lora.train_attn = self.train.contains(&Part::Attention);
        lora.train_mlp = self.train.contains(&Part::Mlp);
        lora.train_unembed = self.train.contains(&Part::Unembed);
        lora
    }

    /// Fills in the settings of the adapter in the recipe.
    pub(super) fn complete(&self, given: &mut Given) {
        given.derive("rank", &self.rank, "default");
    }

    /// The options that make this adapter.
    pub(crate) fn to_words(&self) -> Vec<String> {
        let mut words = vec!["--rank".to_owned(), self.rank.to_string()];
        if let Some(alpha) = self.alpha {
            words.extend(["--alpha".to_owned(), alpha.to_string()]);
        }
        if self.train != all() {
            words.extend(["--train".to_owned(), self.parts(",")]);
        }
        words
    }

    /// A few words for people.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("LoRA rank {}", self.rank);
        if let Some(alpha) = self.alpha {
            text += &format!(" and alpha {alpha}");
        }
        if self.train != all() {
            text += &format!(" on {}", self.parts(" and "));
        }
        text
    }

    fn parts(&self, between: &str) -> String {
        let name = |part: &Part| match part {
            Part::Attention => "attention",
            Part::Mlp => "mlp",
            Part::Unembed => "unembed",
        };
        let names: Vec<&str> = self.train.iter().map(name).collect();
        names.join(between)
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn parsed(words: &[String]) -> Result<Adapter, clap::Error> {
        let command = AdapterArgs::augment_args(clap::Command::new("train").no_binary_name(true));
        let matches = command.try_get_matches_from(words)?;
        Ok(AdapterArgs::from_arg_matches(&matches)?.adapter())
    }

    #[test]
    fn options_become_an_adapter() {
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let all = parsed(&[]).unwrap();
        assert_eq!(all.describe(), "LoRA rank 16");
        assert_eq!(all.lora_config(3), LoraConfig::new(16).with_seed(3));
        let some = parsed(&words("--rank 4 --alpha 8 --train mlp,attention,mlp")).unwrap();
        assert_eq!(
            some.describe(),
            "LoRA rank 4 and alpha 8 on attention and mlp"
        );
        assert_eq!(parsed(&some.to_words()).unwrap(), some);
        let lora = some.lora_config(0);
        let trained = (lora.train_attn, lora.train_mlp, lora.train_unembed);
        assert_eq!(trained, (true, true, false));
        assert_eq!(lora.alpha, Some(8));
        let refused = parsed(&words("--train heads")).unwrap_err().to_string();
        assert!(refused.contains("attention, mlp, unembed"), "{refused}");
    }
}
