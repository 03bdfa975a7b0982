//! Weights saved as downloadable files.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, type_tag};
use crate::{CheckpointPath, ModelId};

type_tag!(SaveExternalTag, "save_weights_external");

/// Saves weights as files for download.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SaveWeightsExternal {
    /// The model.
    pub model_id: ModelId,
    /// Name of the checkpoint: one path segment.
    pub path: String,
    /// Index among the operations of the model, from 1.
    pub seq_id: u64,
    /// Seconds until deletion; unset, it is kept.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Encrypts the files for these age or SSH public keys, at most 10.
    #[serde(default)]
    pub age_encryption_recipients: Option<Vec<String>>,
    #[serde(rename = "type", default)]
    tag: SaveExternalTag,
}

impl SaveWeightsExternal {
    /// Saves under a name.
    pub fn new(model_id: ModelId, seq_id: u64, name: &str) -> Self {
        Self {
            model_id,
            path: name.to_owned(),
            seq_id,
            ttl_seconds: None,
            age_encryption_recipients: None,
            tag: SaveExternalTag::Tag,
        }
    }
}

endpoint!(SaveWeightsExternal => promise of SavedExternal, "save_weights_external", SaveWeightsExternal);

/// Weights saved as files.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SavedExternal {
    /// Address of the checkpoint.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: CheckpointPath,
    /// Total size of the files.
    #[serde(default)]
    pub size_bytes: Option<u64>,
    #[serde(rename = "type", default)]
    tag: SaveExternalTag,
}

impl SavedExternal {
    /// The response for a checkpoint.
    pub fn new(path: CheckpointPath, size_bytes: Option<u64>) -> Self {
        Self {
            path,
            size_bytes,
            tag: SaveExternalTag::Tag,
        }
    }
}
