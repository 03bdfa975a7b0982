//! What the engine offers and how it wants its clients to behave.

use serde_json::json;
use tinker_types::{Health, ServerCapabilities, SupportedModel};

use super::answer::{self, Answer};
use crate::shared::Shared;
use crate::work::Operations;

pub(super) fn client(shared: &Shared) -> Answer {
    let behavior = shared.behavior();
    let mut config = behavior.client_config.clone();
    config.pjwt_auth_enabled = behavior.token_lifetime.is_some();
    answer::json(&config)
}

pub(super) fn dynamic(shared: &Shared) -> Answer {
    answer::json(&shared.behavior().dynamic_config)
}

pub(super) fn health() -> Answer {
    answer::json(&Health::ok())
}

pub(super) fn capabilities(operations: &Operations) -> Answer {
    let models = operations.models().map(|info| {
        let mut model = SupportedModel::default();
        model.model_name = Some(info.name.clone());
        model.max_context_length = Some(info.context as u64);
        model.trainable = Some(true);
        model.sampleable = Some(true);
        model.tokenizer_id.clone_from(&info.tokenizer);
        model
    });
    answer::json(&ServerCapabilities::new(models.collect()))
}

/// Events are not kept: nobody but the user is here to read them.
pub(super) fn telemetry() -> Answer {
    answer::json(&json!({ "status": "accepted" }))
}
