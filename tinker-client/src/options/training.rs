//! How a new model is trained.

use std::collections::BTreeMap;

use serde_json::Value;
use tinker_types::{LoraConfig, OptimizerConfig};

/// How a new model is trained. A [`LoraConfig`] alone will do.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct TrainingOptions {
    /// Which adapters to train.
    pub lora: LoraConfig,
    /// The optimizer. Default: AdamW.
    pub optimizer: OptimizerConfig,
    /// Notes kept with the training run.
    pub user_metadata: BTreeMap<String, Value>,
}

impl TrainingOptions {
    /// These adapters, with AdamW.
    pub fn new(lora: LoraConfig) -> Self {
        Self {
            lora,
            ..Self::default()
        }
    }

    /// Sets the optimizer.
    #[must_use]
    pub fn with_optimizer(mut self, optimizer: OptimizerConfig) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn with_user_metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.user_metadata.insert(key.into(), value.into());
        self
    }
}

impl From<LoraConfig> for TrainingOptions {
    fn from(lora: LoraConfig) -> Self {
        Self::new(lora)
    }
}
