//! Capabilities and client configuration.

use serde_json::json;
use tinker_types::{Health, ServerCapabilities, SupportedModel};

use super::response::{self, Response};
use crate::shared::Shared;
use crate::work::Operations;

pub(super) fn client(shared: &Shared) -> Response {
    let behavior = shared.behavior();
    let mut config = behavior.client_config.clone();
    config.pjwt_auth_enabled = behavior.token_lifetime.is_some();
    response::json(&config)
}

pub(super) fn dynamic(shared: &Shared) -> Response {
    response::json(&shared.behavior().dynamic_config)
}

pub(super) fn health() -> Response {
    response::json(&Health::ok())
}

pub(super) fn capabilities(operations: &Operations) -> Response {
    let models = operations.models().map(|info| {
        let mut model = SupportedModel::default();
        model.model_name = Some(info.name.clone());
        model.max_context_length = Some(info.context as u64);
        model.trainable = Some(true);
        model.sampleable = Some(true);
        model.tokenizer_id.clone_from(&info.tokenizer);
        model
    });
    response::json(&ServerCapabilities::new(models.collect()))
}

/// Accepts telemetry and discards it.
pub(super) fn telemetry() -> Response {
    response::json(&json!({ "status": "accepted" }))
}
