//! What the engine offers and how it wants its clients to behave.

use http::StatusCode;
use serde_json::json;
use tinker_types::{ClientConfig, DynamicConfig, ServerCapabilities, SupportedModel};

use super::answer::{self, Answer};
use super::refusal::Refusal;
use crate::shared::Shared;

/// Largest training requests clients should send. Sampling waits for the request at hand, so requests of less than a
/// second keep both moving; a larger batch arrives as several that are computed one after the other.
const CHUNK_DATA: u64 = 128;
const CHUNK_BYTES: u64 = 1 << 18;

pub(super) fn client(shared: &Shared) -> Answer {
    let mut config = ClientConfig::default();
    config.fwdbwd_max_chunk_len = CHUNK_DATA;
    config.fwdbwd_max_chunk_bytes_count = CHUNK_BYTES;
    config.sample_max_concurrent_requests = shared.limits.queued_samples as u64;
    answer::json(&config)
}

pub(super) fn dynamic() -> Answer {
    let mut config = DynamicConfig::default();
    config.sample_cancel_enabled = true;
    answer::json(&config)
}

pub(super) fn no_tokens() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "a local engine gives no tokens; any API key is accepted as it is, so send it without an exchange",
    )
}

pub(super) fn health() -> Answer {
    answer::json(&json!({ "status": "ok" }))
}

pub(super) fn capabilities(shared: &Shared) -> Answer {
    let mut model = SupportedModel::default();
    model.model_name = Some(shared.model.name.clone());
    model.max_context_length = Some(shared.model.context as u64);
    model.trainable = Some(true);
    model.sampleable = Some(true);
    answer::json(&ServerCapabilities::new(vec![model]))
}

/// Events are not kept: nobody but the user is here to read them.
pub(super) fn telemetry() -> Answer {
    answer::json(&json!({ "status": "accepted" }))
}
