//! Saving and loading weights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, type_tag};
use crate::{AccessToken, CheckpointPath, ModelId, OptimizerConfig, SamplingSessionId, SessionId};

type_tag!(SaveWeightsTag, "save_weights");
type_tag!(SaveForSamplerTag, "save_weights_for_sampler");
type_tag!(LoadWeightsTag, "load_weights");

/// Saves weights and optimizer state, to train on from.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SaveWeights {
    /// The model.
    pub model_id: ModelId,
    /// Name of the checkpoint: one path segment.
    pub path: String,
    /// Position among the model's operations, from 1.
    pub seq_id: u64,
    /// Seconds until it is deleted; unset, it stays.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Replace a checkpoint of the same name. Default false: a taken name is an error.
    #[serde(default)]
    pub overwrite: bool,
    /// Notes kept with it.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, String>>,
    #[serde(rename = "type", default)]
    tag: SaveWeightsTag,
}

impl SaveWeights {
    /// Saves under a name.
    pub fn new(model_id: ModelId, seq_id: u64, name: &str) -> Self {
        Self {
            model_id,
            path: name.to_owned(),
            seq_id,
            ttl_seconds: None,
            overwrite: false,
            user_metadata: None,
            tag: SaveWeightsTag::Tag,
        }
    }
}

endpoint!(SaveWeights => promise of SavedWeights, "save_weights", SaveWeights);

/// A saved checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SavedWeights {
    /// Where it is.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: CheckpointPath,
    #[serde(rename = "type", default)]
    tag: SaveWeightsTag,
}

impl SavedWeights {
    /// The answer for a checkpoint.
    pub fn new(path: CheckpointPath) -> Self {
        Self {
            path,
            tag: SaveWeightsTag::Tag,
        }
    }
}

/// Whether a sampler's weights may change later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SamplerSaveKind {
    /// Fixed at the moment of saving.
    #[default]
    Snapshot,
    /// Shared with the model's other in-flight samplers; a later in-flight save updates them all.
    Inflight,
}

/// Saves weights to sample from: under a name, or as a sampler at once.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SaveWeightsForSampler {
    /// The model.
    pub model_id: ModelId,
    /// Name of the checkpoint; unset to get a sampler at once.
    #[serde(default)]
    pub path: Option<String>,
    /// Position of the sampler among the session's, when there is no name.
    #[serde(default)]
    pub sampling_session_seq_id: Option<u64>,
    /// Whether the weights may change later.
    #[serde(default)]
    pub kind: SamplerSaveKind,
    /// Position among the model's operations, from 1.
    pub seq_id: u64,
    /// Seconds until it is deleted; unset, it stays.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Notes kept with it.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, String>>,
    #[serde(rename = "type", default)]
    tag: SaveForSamplerTag,
}

impl SaveWeightsForSampler {
    /// Saves under a name.
    pub fn named(model_id: ModelId, seq_id: u64, name: &str) -> Self {
        Self {
            path: Some(name.to_owned()),
            ..Self::of(model_id, seq_id)
        }
    }

    /// Makes a sampler without a name.
    pub fn ephemeral(model_id: ModelId, seq_id: u64, sampling_session_seq_id: u64) -> Self {
        Self {
            sampling_session_seq_id: Some(sampling_session_seq_id),
            ..Self::of(model_id, seq_id)
        }
    }

    fn of(model_id: ModelId, seq_id: u64) -> Self {
        Self {
            model_id,
            path: None,
            sampling_session_seq_id: None,
            kind: SamplerSaveKind::Snapshot,
            seq_id,
            ttl_seconds: None,
            user_metadata: None,
            tag: SaveForSamplerTag::Tag,
        }
    }
}

endpoint!(
    SaveWeightsForSampler => promise of SavedForSampler,
    "save_weights_for_sampler",
    SaveWeightsForSampler
);

/// Weights saved to sample from: a path for the named form, a sampler for the other.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SavedForSampler {
    /// Where the named checkpoint is.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub path: Option<CheckpointPath>,
    /// The sampler.
    #[serde(default)]
    pub sampling_session_id: Option<SamplingSessionId>,
    #[serde(rename = "type", default)]
    tag: SaveForSamplerTag,
}

impl SavedForSampler {
    /// The answer to the named form.
    pub fn at(path: CheckpointPath) -> Self {
        Self {
            path: Some(path),
            sampling_session_id: None,
            tag: SaveForSamplerTag::Tag,
        }
    }

    /// The answer to the other form.
    pub fn sampler(id: SamplingSessionId) -> Self {
        Self {
            path: None,
            sampling_session_id: Some(id),
            tag: SaveForSamplerTag::Tag,
        }
    }
}

/// What a checkpoint is loaded into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum LoadTarget {
    /// A new model of a session.
    NewModel {
        /// The session.
        session_id: SessionId,
        /// Position among the session's models, from 0.
        model_seq_id: u64,
    },
    /// An existing model, as older clients do.
    Existing {
        /// The model.
        model_id: ModelId,
        /// Position among its operations.
        seq_id: u64,
    },
}

/// Loads a checkpoint.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LoadWeights {
    /// Into what.
    #[serde(flatten)]
    pub target: LoadTarget,
    /// Base model instead of the checkpoint's own, of the same shape: for example one with a longer context.
    #[serde(default)]
    pub base_model: Option<String>,
    /// Free-form notes kept with the new run.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, Value>>,
    /// `tinker://` path of a training checkpoint.
    pub path: String,
    /// Restore the optimizer's state too.
    #[serde(default)]
    pub optimizer: bool,
    /// Optimizer of a load without optimizer state; unset, `AdamW`.
    #[serde(default)]
    pub optimizer_config: Option<OptimizerConfig>,
    /// Credential for somebody else's checkpoint.
    #[serde(default)]
    pub weights_access_token: Option<AccessToken>,
    #[serde(rename = "type", default)]
    tag: LoadWeightsTag,
}

impl LoadWeights {
    /// Loads weights, without optimizer state unless [`Self::optimizer`] is set.
    pub fn new(target: LoadTarget, path: &CheckpointPath) -> Self {
        Self {
            target,
            base_model: None,
            user_metadata: None,
            path: path.to_string(),
            optimizer: false,
            optimizer_config: None,
            weights_access_token: None,
            tag: LoadWeightsTag::Tag,
        }
    }
}

endpoint!(LoadWeights => promise of WeightsLoaded, "load_weights", LoadWeights);

/// A loaded checkpoint; servers may say nothing about it.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WeightsLoaded {
    /// What was loaded.
    #[serde(default)]
    pub path: Option<String>,
    /// Into which model.
    #[serde(default)]
    pub model_id: Option<ModelId>,
    #[serde(rename = "type", default)]
    tag: LoadWeightsTag,
}

impl WeightsLoaded {
    /// The answer for a model.
    pub fn new(path: String, model_id: ModelId) -> Self {
        Self {
            path: Some(path),
            model_id: Some(model_id),
            tag: LoadWeightsTag::Tag,
        }
    }
}

/// Asks what a checkpoint holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WeightsInfoRequest {
    /// `tinker://` path.
    pub tinker_path: String,
}

impl WeightsInfoRequest {
    /// Asks about one checkpoint.
    pub fn new(path: &CheckpointPath) -> Self {
        Self {
            tinker_path: path.to_string(),
        }
    }
}

endpoint!(WeightsInfoRequest => WeightsInfo, "weights_info");

/// What a checkpoint holds.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WeightsInfo {
    /// Name of its base model.
    pub base_model: String,
    /// It holds adapters.
    pub is_lora: bool,
    /// Optimizer it was trained with.
    #[serde(default)]
    pub optimizer_config: OptimizerConfig,
    /// Rank of the adapters; `None` without adapters, or from a server that does not say.
    #[serde(default)]
    pub lora_rank: Option<u32>,
    /// The output head is adapted. Here and below, `None` is from servers that do not say; they adapt everything.
    #[serde(default)]
    pub train_unembed: Option<bool>,
    /// The MLP projections are adapted.
    #[serde(default)]
    pub train_mlp: Option<bool>,
    /// The attention projections are adapted.
    #[serde(default)]
    pub train_attn: Option<bool>,
}

impl WeightsInfo {
    /// Adapters over a base model.
    pub fn lora(base_model: &str, rank: u32) -> Self {
        Self {
            base_model: base_model.to_owned(),
            is_lora: true,
            optimizer_config: OptimizerConfig::AdamW,
            lora_rank: Some(rank),
            train_unembed: None,
            train_mlp: None,
            train_attn: None,
        }
    }
}
