//! Capabilities and client configuration.

use http::HeaderValue;
use http::header::SERVER;
use serde_json::json;
use tinker_types::wire::header;
use tinker_types::{Health, ServerCapabilities, SupportedModel};

use super::call::Call;
use super::response::{self, Response};

pub(super) fn client(call: &Call<'_>) -> Response {
    let behavior = call.shared.behavior();
    let mut config = behavior.client_config.clone();
    config.pjwt_auth_enabled = behavior.token_lifetime.is_some();
    let mut response = response::json(&config);
    let server = format!("{}/{}", header::LOCAL_SERVER, env!("CARGO_PKG_VERSION"));
    if let Ok(server) = HeaderValue::from_str(&server) {
        response.headers_mut().insert(SERVER, server);
    }
    response
}

pub(super) fn dynamic(call: &Call<'_>) -> Response {
    response::json(&call.shared.behavior().dynamic_config)
}

pub(super) fn health() -> Response {
    response::json(&Health::ok())
}

pub(super) fn capabilities(call: &Call<'_>) -> Response {
    let models = call.operations.models().map(|info| {
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
