//! Saving and loading weights.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, tagged, type_tag};
use crate::{AccessToken, CheckpointPath, ModelId, OptimizerConfig, SamplingSessionId, SessionId};

type_tag!(SaveWeightsTag, "save_weights");
type_tag!(SaveForSamplerTag, "save_weights_for_sampler");
type_tag!(LoadWeightsTag, "load_weights");

/// Saves weights and optimizer state, from which training can continue.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SaveWeights {
    /// The model.
    pub model_id: ModelId,
    /// Name of the checkpoint: one path segment.
    pub path: String,
    /// Index among the operations of the model, from 1.
    pub seq_id: u64,
    /// Seconds until deletion; unset, it is kept.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Whether to replace a checkpoint of the same name. Default false: an existing name is an error.
    #[serde(default)]
    pub overwrite: bool,
    /// Metadata of the checkpoint.
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

tagged! {
    /// A saved checkpoint.
    SavedWeights as SaveWeightsTag {
        /// Address of the checkpoint.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        path: CheckpointPath
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

/// Saves weights to sample from: as a named checkpoint, or as a sampler without a name.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SaveWeightsForSampler {
    /// The model.
    pub model_id: ModelId,
    /// Name of the checkpoint; unset for a sampler without a name.
    #[serde(default)]
    pub path: Option<String>,
    /// Index of the sampler among those of the session, if there is no name.
    #[serde(default)]
    pub sampling_session_seq_id: Option<u64>,
    /// Whether the weights may change later.
    #[serde(default)]
    pub kind: SamplerSaveKind,
    /// Index among the operations of the model, from 1.
    pub seq_id: u64,
    /// Seconds until deletion; unset, it is kept.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Metadata of the checkpoint.
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

    /// Creates a sampler without a name.
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

/// Weights saved to sample from: an address for a named checkpoint, an id for a sampler without a name.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SavedForSampler {
    /// Address of the named checkpoint.
    #[serde(default, deserialize_with = "sampler_path")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub path: Option<CheckpointPath>,
    /// Id of the sampler without a name.
    #[serde(default)]
    pub sampling_session_id: Option<SamplingSessionId>,
    #[serde(rename = "type", default)]
    tag: SaveForSamplerTag,
}

/// In this response an address may lack the kind.
fn sampler_path<'de, D: Deserializer<'de>>(source: D) -> Result<Option<CheckpointPath>, D::Error> {
    let text = Option::<String>::deserialize(source)?;
    text.map(|text| CheckpointPath::parse_for_sampling(&text).map_err(D::Error::custom))
        .transpose()
}

impl SavedForSampler {
    /// The response for a named checkpoint.
    pub fn at(path: CheckpointPath) -> Self {
        Self {
            path: Some(path),
            sampling_session_id: None,
            tag: SaveForSamplerTag::Tag,
        }
    }

    /// The response for a sampler without a name.
    pub fn sampler(id: SamplingSessionId) -> Self {
        Self {
            path: None,
            sampling_session_id: Some(id),
            tag: SaveForSamplerTag::Tag,
        }
    }
}

/// Model that takes the loaded weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum LoadTarget {
    /// A new model of a session.
    NewModel {
        /// The session.
        session_id: SessionId,
        /// Index among the models of the session, from 0.
        model_seq_id: u64,
    },
    /// An existing model, as older clients do.
    Existing {
        /// The model.
        model_id: ModelId,
        /// Index among the operations of the model.
        seq_id: u64,
    },
}

/// Loads a checkpoint.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LoadWeights {
    /// Model that takes the weights.
    #[serde(flatten)]
    pub target: LoadTarget,
    /// Base model to use instead of the checkpoint's own; it must have the same shape, for example a longer context.
    #[serde(default)]
    pub base_model: Option<String>,
    /// Free-form metadata of the new run.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, Value>>,
    /// `tinker://` path of a training checkpoint.
    pub path: String,
    /// Whether to restore the optimizer state.
    #[serde(default)]
    pub optimizer: bool,
    /// Optimizer of a load without optimizer state; unset, `AdamW`.
    #[serde(default)]
    pub optimizer_config: Option<OptimizerConfig>,
    /// Credential for a checkpoint of another user.
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

/// A loaded checkpoint; servers may omit all fields.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WeightsLoaded {
    /// Address of the checkpoint.
    #[serde(default)]
    pub path: Option<String>,
    /// Model that took the weights.
    #[serde(default)]
    pub model_id: Option<ModelId>,
    #[serde(rename = "type", default)]
    tag: LoadWeightsTag,
}

impl WeightsLoaded {
    /// The response for a model.
    pub fn new(path: String, model_id: ModelId) -> Self {
        Self {
            path: Some(path),
            model_id: Some(model_id),
            tag: LoadWeightsTag::Tag,
        }
    }
}

/// Requests the properties of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GetWeightsInfo {
    /// `tinker://` path.
    pub tinker_path: String,
}

impl GetWeightsInfo {
    /// Requests the properties of one checkpoint.
    pub fn new(path: &CheckpointPath) -> Self {
        Self {
            tinker_path: path.to_string(),
        }
    }
}

endpoint!(GetWeightsInfo => WeightsInfo, "weights_info");

/// Properties of a checkpoint.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WeightsInfo {
    /// Name of the base model.
    pub base_model: String,
    /// Whether it holds adapters only.
    pub is_lora: bool,
    /// Optimizer of the training run.
    #[serde(default)]
    pub optimizer_config: OptimizerConfig,
    /// Rank of the adapters, if the server reports it.
    #[serde(default)]
    pub lora_rank: Option<u32>,
    /// Whether the output head is adapted. `None` here and below: the server does not report it and adapts all parts.
    #[serde(default)]
    pub train_unembed: Option<bool>,
    /// Whether the MLP projections are adapted.
    #[serde(default)]
    pub train_mlp: Option<bool>,
    /// Whether the attention projections are adapted.
    #[serde(default)]
    pub train_attn: Option<bool>,
}

impl WeightsInfo {
    /// Adapters of a base model.
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
