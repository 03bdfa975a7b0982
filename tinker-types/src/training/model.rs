//! Models in training.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, tagged, type_tag};
use crate::{LoraConfig, ModelId, OptimizerConfig, SessionId};

type_tag!(CreateModelTag, "create_model");
type_tag!(GetInfoTag, "get_info");
type_tag!(UnloadModelTag, "unload_model");

/// Starts a training run: new adapters of a base model.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreateModel {
    /// Session of the model.
    pub session_id: SessionId,
    /// Index among the models of the session, from 0.
    pub model_seq_id: u64,
    /// Name of the base model.
    pub base_model: String,
    /// Free-form metadata of the run.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, Value>>,
    /// Adapters to train.
    #[serde(default)]
    pub lora_config: LoraConfig,
    /// Optimizer of the model.
    #[serde(default)]
    pub optimizer_config: OptimizerConfig,
    #[serde(rename = "type", default)]
    tag: CreateModelTag,
}

impl CreateModel {
    /// A run with AdamW.
    pub fn new(
        session_id: SessionId,
        model_seq_id: u64,
        base_model: &str,
        lora_config: LoraConfig,
    ) -> Self {
        Self {
            session_id,
            model_seq_id,
            base_model: base_model.to_owned(),
            user_metadata: None,
            lora_config,
            optimizer_config: OptimizerConfig::AdamW,
            tag: CreateModelTag::Tag,
        }
    }
}

endpoint!(CreateModel => promise of ModelCreated, "create_model", CreateModel);

tagged! {
    /// A created model.
    ModelCreated as CreateModelTag {
        /// Id of the model.
        model_id: ModelId
    }
}

tagged! {
    /// Requests the properties of a model.
    GetInfo as GetInfoTag {
        /// The model.
        model_id: ModelId
    }
}

endpoint!(GetInfo => ModelInfo, "get_info");

tagged! {
    /// Releases a model before its session ends. Answered with a promise.
    UnloadModel as UnloadModelTag {
        /// The model.
        model_id: ModelId
    }
}

endpoint!(UnloadModel => serde::de::IgnoredAny, "unload_model");

/// Properties of a model.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ModelInfo {
    /// Names of its base model.
    pub model_data: ModelData,
    /// Id of the model.
    pub model_id: ModelId,
    /// Optimizer of the model.
    #[serde(default)]
    pub optimizer_config: OptimizerConfig,
    /// Whether only adapters are trained.
    #[serde(default)]
    pub is_lora: Option<bool>,
    /// Rank of the adapters.
    #[serde(default)]
    pub lora_rank: Option<u32>,
    /// Name of the base model.
    #[serde(default)]
    pub model_name: Option<String>,
    #[serde(rename = "type", default)]
    tag: GetInfoTag,
}

impl ModelInfo {
    /// The required properties.
    pub fn new(model_id: ModelId, model_data: ModelData) -> Self {
        Self {
            model_name: model_data.model_name.clone(),
            model_data,
            model_id,
            optimizer_config: OptimizerConfig::AdamW,
            is_lora: None,
            lora_rank: None,
            tag: GetInfoTag::Tag,
        }
    }
}

/// Names of a base model.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct ModelData {
    /// Architecture family.
    pub arch: Option<String>,
    /// Name of the base model.
    pub model_name: Option<String>,
    /// Location of its tokenizer.
    pub tokenizer_id: Option<String>,
}
