//! Which checkpoint to train on from, and how.

use std::collections::BTreeMap;

use serde_json::Value;
use tinker_types::{AccessToken, CheckpointPath, OptimizerConfig, SavedWeights};

/// Which checkpoint to train on from, and how. A path alone will do, as text or parsed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The checkpoint's `tinker://` path; checked when it is used.
    pub path: String,
    /// Base model instead of the checkpoint's own.
    pub base_model: Option<String>,
    /// Optimizer of a load without optimizer state.
    pub optimizer: Option<OptimizerConfig>,
    /// Credential for somebody else's checkpoint.
    pub access_token: Option<AccessToken>,
    /// Notes kept with the new training run.
    pub user_metadata: BTreeMap<String, Value>,
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
        }
    }

    /// Sets the base model.
    #[must_use]
    pub fn with_base_model(mut self, base_model: impl Into<String>) -> Self {
        self.base_model = Some(base_model.into());
        self
    }

    /// Sets the optimizer.
    #[must_use]
    pub fn with_optimizer(mut self, optimizer: OptimizerConfig) -> Self {
        self.optimizer = Some(optimizer);
        self
    }

    /// Sets the credential for somebody else's checkpoint.
    #[must_use]
    pub fn with_access_token(mut self, token: impl Into<String>) -> Self {
        self.access_token = Some(AccessToken::new(token));
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn with_user_metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.user_metadata.insert(key.into(), value.into());
        self
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
