//! Accepted operations.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::wire::{ModelId, RequestId, SequenceId};

/// The answer to an accepted operation: a promise.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Submitted {
    /// What to fetch the result with.
    pub request_id: RequestId,
    /// The model concerned, from servers that say so.
    #[serde(default)]
    pub model_id: Option<ModelId>,
    /// Names of the sequences to come, one for each; sampling only.
    #[serde(default)]
    pub sample_sequence_ids: Option<Vec<SequenceId>>,
}

impl Submitted {
    /// A promise of one request.
    pub fn new(request_id: RequestId) -> Self {
        Self {
            request_id,
            model_id: None,
            sample_sequence_ids: None,
        }
    }
}
