//! The model and the number of a training request.

use serde::Deserialize;
use tinker_types::ModelId;

/// The part of a JSON request that names the operation.
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) model_id: ModelId,
    pub(super) seq_id: u64,
}
