//! What can go wrong with a custom loss.

use std::error::Error as StdError;
use std::sync::Arc;

use thiserror::Error;

/// A custom loss that was not computed.
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

/// A training client that an earlier custom loss left unusable.
#[derive(Debug, Error)]
#[error(
    "an earlier custom loss failed ({cause}) and left a gap that the server does not skip; make a new training client from the last checkpoint"
)]
pub struct Poisoned {
    cause: Arc<str>,
}

impl Poisoned {
    pub(crate) fn new(cause: Arc<str>) -> Self {
        Self { cause }
    }

    /// Why the custom loss failed.
    pub fn cause(&self) -> &str {
        &self.cause
    }
}
