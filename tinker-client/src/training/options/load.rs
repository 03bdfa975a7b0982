//! Options of loading a checkpoint.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tinker_types::{AccessToken, CheckpointPath, OptimizerConfig, SavedWeights};

/// Options of loading a checkpoint for training. A path converts into options, as text or parsed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The `tinker://` path of the checkpoint; checked on use.
    pub path: String,
    /// Base model. Default: that of the checkpoint.
    pub base_model: Option<String>,
    /// Optimizer, for a load without optimizer state. Default: that of the server.
    pub optimizer: Option<OptimizerConfig>,
    /// Access token for the checkpoint of another owner.
    pub access_token: Option<AccessToken>,
    /// Metadata stored with the new training run.
    pub user_metadata: BTreeMap<String, Value>,
    /// Additional fields of the request body, for fields that this type does not have. Default: none.
    pub extra: Map<String, Value>,
}

impl LoadOptions {
    /// The checkpoint at `path`.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            base_model: None,
            optimizer: None,
            access_token: None,
            user_metadata: BTreeMap::new(),
            extra: Map::new(),
        }
    }

    tinker_types::setters! {
        /// Sets the base model.
        with_base_model(base_model: impl Into<String>) => base_model = Some(base_model.into());

        /// Sets the optimizer.
        with_optimizer(optimizer: OptimizerConfig) => optimizer = Some(optimizer);

        /// Sets the access token for the checkpoint of another owner.
        with_access_token(token: impl Into<String>) => access_token = Some(AccessToken::new(token));

        /// Adds metadata.
        with_user_metadata(key: impl Into<String>, value: impl Into<Value>) => user_metadata.insert(key.into(), value.into());

        /// Adds a field to the request body, for fields that this type does not have.
        with_extra(name: impl Into<String>, value: impl Into<Value>) => extra.insert(name.into(), value.into());
    }
}

impl From<&str> for LoadOptions {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for LoadOptions {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl From<&CheckpointPath> for LoadOptions {
    fn from(path: &CheckpointPath) -> Self {
        Self::new(path.to_string())
    }
}

impl From<CheckpointPath> for LoadOptions {
    fn from(path: CheckpointPath) -> Self {
        Self::from(&path)
    }
}

impl From<&SavedWeights> for LoadOptions {
    fn from(saved: &SavedWeights) -> Self {
        Self::from(&saved.path)
    }
}
