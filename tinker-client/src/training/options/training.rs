//! Options of a new training run.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tinker_types::{LoraConfig, OptimizerConfig};

/// Options of a new training run. A [`LoraConfig`] converts into options.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct TrainingOptions {
    /// The adapters to train.
    pub lora: LoraConfig,
    /// The optimizer. Default: AdamW.
    pub optimizer: OptimizerConfig,
    /// Metadata stored with the training run.
    pub user_metadata: BTreeMap<String, Value>,
    /// Additional fields of the request body, for fields that this type does not have. Default: none.
    pub extra: Map<String, Value>,
}

impl TrainingOptions {
    /// These adapters, with AdamW.
    pub fn new(lora: LoraConfig) -> Self {
        Self {
            lora,
            ..Self::default()
        }
    }

    tinker_types::setters! {
        /// Sets the optimizer.
        with_optimizer(optimizer: OptimizerConfig) => optimizer = optimizer;

        /// Adds metadata.
        with_user_metadata(key: impl Into<String>, value: impl Into<Value>) => user_metadata.insert(key.into(), value.into());

        /// Adds a field to the request body, for fields that this type does not have.
        with_extra(name: impl Into<String>, value: impl Into<Value>) => extra.insert(name.into(), value.into());
    }
}

impl From<LoraConfig> for TrainingOptions {
    fn from(lora: LoraConfig) -> Self {
        Self::new(lora)
    }
}
