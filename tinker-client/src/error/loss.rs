//! Errors of custom losses.

use std::error::Error as StdError;
use std::sync::Arc;

use thiserror::Error;

/// A custom loss that could not be computed.
#[derive(Debug, Error)]
#[error("forward_backward_custom: the loss could not be computed")]
pub struct LossFailed {
    source: Box<dyn StdError + Send + Sync>,
}

impl LossFailed {
    pub(crate) fn new(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

/// A training client that is unusable because an earlier custom loss failed.
#[derive(Debug, Error)]
#[error(
    "an earlier custom loss failed ({cause}) and left a gap in the sequence ids; go on from the last checkpoint with TrainingClient::renew"
)]
pub struct Poisoned {
    cause: Arc<str>,
}

impl Poisoned {
    pub(crate) fn new(cause: Arc<str>) -> Self {
        Self { cause }
    }

    /// The cause of the failure.
    pub fn cause(&self) -> &str {
        &self.cause
    }
}
