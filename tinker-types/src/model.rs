//! Models in training.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, type_tag};
use crate::{LoraConfig, ModelId, OptimizerConfig, SessionId};

type_tag!(CreateModelTag, "create_model");
type_tag!(GetInfoTag, "get_info");

/// Starts a training run: fresh adapters over a base model.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreateModel {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Position among the session's models, from 0.
    pub model_seq_id: u64,
    /// Name of the base model.
    pub base_model: String,
    /// Free-form notes kept with the run.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, Value>>,
    /// Which adapters to train.
    #[serde(default)]
    pub lora_config: LoraConfig,
    /// The optimizer.
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

/// A created model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ModelCreated {
    /// Its id.
    pub model_id: ModelId,
    #[serde(rename = "type", default)]
    tag: CreateModelTag,
}

impl ModelCreated {
    /// The answer for a model.
    pub fn new(model_id: ModelId) -> Self {
        Self {
            model_id,
            tag: CreateModelTag::Tag,
        }
    }
}

/// Asks what a model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GetInfo {
    /// The model.
    pub model_id: ModelId,
    #[serde(rename = "type", default)]
    tag: GetInfoTag,
}

impl GetInfo {
    /// Asks about one model.
    pub fn new(model_id: ModelId) -> Self {
        Self {
            model_id,
            tag: GetInfoTag::Tag,
        }
    }
}

endpoint!(GetInfo => ModelInfo, "get_info");

/// What a model is.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ModelInfo {
    /// Names of its base.
    pub model_data: ModelData,
    /// Its id.
    pub model_id: ModelId,
    /// Its optimizer.
    #[serde(default)]
    pub optimizer_config: OptimizerConfig,
    /// It trains adapters only.
    #[serde(default)]
    pub is_lora: Option<bool>,
    /// Their rank.
    #[serde(default)]
    pub lora_rank: Option<u32>,
    /// Name of the base model.
    #[serde(default)]
    pub model_name: Option<String>,
    #[serde(rename = "type", default)]
    tag: GetInfoTag,
}

impl ModelInfo {
    /// What is known at least.
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

/// Names that belong to a base model.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct ModelData {
    /// Family of the architecture.
    pub arch: Option<String>,
    /// Name of the base model.
    pub model_name: Option<String>,
    /// Where its tokenizer is found.
    pub tokenizer_id: Option<String>,
}
