//! Accepted operations.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{ModelId, RequestId, SequenceId};

/// Response to an accepted operation: a promise.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Submitted {
    /// Id of the promise, with which its result is fetched.
    pub request_id: RequestId,
    /// Model of the operation, if the server reports it.
    #[serde(default)]
    pub model_id: Option<ModelId>,
    /// Ids of the sequences to be sampled, in order; for samples only.
    #[serde(default)]
    pub sample_sequence_ids: Option<Vec<SequenceId>>,
}

impl Submitted {
    /// A promise with this id.
    pub fn new(request_id: RequestId) -> Self {
        Self {
            request_id,
            model_id: None,
            sample_sequence_ids: None,
        }
    }
}
