//! LoRA adapter configuration.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::InvalidValue;

/// Rank and location of the low-rank matrices to train.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LoraConfig {
    /// Rank of the update, at least 1. Default 32.
    pub rank: u32,
    /// Seed of the initial matrices; unset, the server chooses one.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Whether to train the output head. Default true.
    #[serde(default = "yes")]
    pub train_unembed: bool,
    /// Whether to train the MLP projections. Default true.
    #[serde(default = "yes")]
    pub train_mlp: bool,
    /// Whether to train the attention projections. Default true.
    #[serde(default = "yes")]
    pub train_attn: bool,
    /// Numerator of the scaling: the update is `alpha / rank` times the product of the two matrices. Unset, the server
    /// chooses it. An extension of the local server; the hosted service has no such field.
    #[serde(default)]
    pub alpha: Option<u32>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 32,
            seed: None,
            train_unembed: true,
            train_mlp: true,
            train_attn: true,
            alpha: None,
        }
    }
}

impl LoraConfig {
    /// All parts trained at this rank.
    pub fn new(rank: u32) -> Self {
        Self {
            rank,
            ..Self::default()
        }
    }

    crate::setters! {
        /// Sets [`Self::seed`].
        with_seed(seed: u64) => seed = Some(seed);
        /// Sets [`Self::train_unembed`].
        with_train_unembed(train: bool) => train_unembed = train;
        /// Sets [`Self::train_mlp`].
        with_train_mlp(train: bool) => train_mlp = train;
        /// Sets [`Self::train_attn`].
        with_train_attn(train: bool) => train_attn = train;
        /// Sets [`Self::alpha`].
        with_alpha(alpha: u32) => alpha = Some(alpha);
    }

    /// Checks that at least one part is trained.
    ///
    /// # Errors
    /// The rank or the scaling is 0, or all three parts are off.
    pub fn check(&self) -> Result<(), InvalidValue> {
        if self.rank == 0 {
            return Err(InvalidValue::new("rank", "is 0; it is at least 1"));
        }
        if self.alpha == Some(0) {
            let why = "is 0, so that the adapter has no effect; it is at least 1";
            return Err(InvalidValue::new("alpha", why));
        }
        if !(self.train_unembed || self.train_mlp || self.train_attn) {
            let why = "train_unembed, train_mlp and train_attn are all off; switch one on";
            return Err(InvalidValue::new("", why));
        }
        Ok(())
    }
}

fn yes() -> bool {
    true
}
