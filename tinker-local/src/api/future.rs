//! Promised results.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::ACCEPT;
use serde_json::{Value, json};
use tinker_types::proto::{CONTENT_TYPE as PROTOBUF, decode_output, decode_sample};
use tinker_types::{
    CancelFuture, InvalidValue, QueueState, QueueStatus, RetrieveFuture, Retrieved,
};

use super::body;
use super::call::Call;
use super::response::{self, Response};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::state::{Class, Found, Outcome, Payload, Promise};

/// Time after which a client receives the number of the operation that its own waits for.
const ARRIVAL: Duration = Duration::from_secs(3);

/// Waits while the engine's behavior holds results back, at most `most`. Returns the reason if it still does then.
pub(super) async fn held_back(shared: &Shared, most: Duration) -> Option<QueueStatus> {
    let freed = async {
        loop {
            // Registered before the check, so that a change between the two is not missed.
            let mut changed = std::pin::pin!(shared.behavior_changed.notified());
            changed.as_mut().enable();
            if shared.behavior().queue.is_none() {
                return;
            }
            changed.await;
        }
    };
    match tokio::time::timeout(most, freed).await {
        Ok(()) => None,
        Err(_) => shared.behavior().queue.clone(),
    }
}

pub(super) async fn retrieve(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: RetrieveFuture = body::json(&call.body)?;
    let id = request.request_id;
    let promises = &call.operations.promises;
    let found = match promises.find(&id) {
        Found::Known(_) | Found::Expired if !call.is_own(&id.session()) => Found::Unknown,
        found => found,
    };
    let promise = match found {
        Found::Known(promise) => promise,
        Found::Expired => {
            return Err(Refusal::gone(format!(
                "the result of {id} is no longer kept; it was fetched before or there were too many"
            )));
        }
        Found::Unknown => {
            return Err(Refusal::not_found(format!(
                "request {id} is not known to this server; it may have been restarted since, \
                 but checkpoints that were saved can be loaded into a new model"
            )));
        }
    };
    let long_poll = call.operations.limits.long_poll;
    if let Some(waiting) = held_back(call.shared, long_poll).await {
        return Ok(response::json(&Retrieved::TryAgain(waiting).to_json(&id)));
    }
    let Some(outcome) = outcome(call, &promise, long_poll).await else {
        return Ok(response::json(
            &Retrieved::TryAgain(waiting(call, &promise)).to_json(&id),
        ));
    };
    if let Ok(payload) = outcome
        && request.allow_metadata_only
        && payload.len() > call.operations.limits.inline_result_bytes
    {
        let bytes = payload.len() as u64;
        return Ok(response::json(&Retrieved::SizeOnly { bytes }.to_json(&id)));
    }
    promises.note_fetch(&id);
    match outcome {
        Ok(payload) => encode(payload, call),
        Err(failure) => {
            let failed = Retrieved::Failed {
                error: failure.error.clone(),
                category: failure.category,
            };
            Ok(response::json(&failed.to_json(&id)))
        }
    }
}

/// Waits for the outcome. An operation whose predecessor has not arrived is waited for only briefly, so that its client
/// learns the reason soon.
async fn outcome<'a>(
    call: &Call<'_>,
    promise: &'a Promise,
    long_poll: Duration,
) -> Option<&'a Outcome> {
    let brief = long_poll.min(ARRIVAL);
    if let Ok(outcome) = tokio::time::timeout(brief, promise.wait()).await {
        return Some(outcome);
    }
    if call.operations.missing_before(&promise.id).is_some() {
        return None;
    }
    let rest = long_poll.saturating_sub(brief);
    tokio::time::timeout(rest, promise.wait()).await.ok()
}

/// The state of a promise without a result.
fn waiting(call: &Call<'_>, promise: &Promise) -> QueueStatus {
    let (state, reason) = if promise.is_running() {
        (QueueState::Active, "the engine works on it".to_owned())
    } else {
        let reason = match call.operations.missing_before(&promise.id) {
            Some((model, number)) => {
                format!("operation {number} of {model}, which comes before it, has not arrived")
            }
            None => "other operations are ahead of it".to_owned(),
        };
        (QueueState::PausedCapacity, reason)
    };
    let mut waiting = QueueStatus::default();
    waiting.queue_state = Some(state);
    waiting.queue_state_reason = Some(reason);
    waiting
}

/// Encodes a result: as protobuf for clients that accept it, else as JSON.
fn encode(payload: &Payload, call: &Call<'_>) -> Result<Response, Refusal> {
    let is_protobuf = |kinds: &str| kinds.contains(PROTOBUF);
    let mut accepted = call.headers.get_all(ACCEPT).iter();
    let takes_protobuf =
        !call.json_only && accepted.any(|value| value.to_str().is_ok_and(is_protobuf));
    match payload {
        Payload::Json(bytes) => Ok(response::json_bytes(StatusCode::OK, bytes.clone())),
        Payload::Output(bytes) | Payload::Sample(bytes) if takes_protobuf => {
            Ok(response::protobuf(bytes.clone()))
        }
        Payload::Output(bytes) => older(bytes, |bytes| {
            decode_output(bytes).map(|output| json!(output))
        }),
        Payload::Sample(bytes) => older(bytes, |bytes| {
            let mut body = json!(decode_sample(bytes)?);
            body["type"] = "sample".into();
            Ok(body)
        }),
    }
}

fn older(
    bytes: &Bytes,
    form: impl FnOnce(Bytes) -> Result<Value, InvalidValue>,
) -> Result<Response, Refusal> {
    let body = form(bytes.clone())
        .map_err(|e| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    Ok(response::json(&body))
}

/// Cancels a sample. Training operations are not cancelled: leaving one out would change the results of later ones.
pub(super) fn cancel(call: &Call<'_>) -> Result<Response, Refusal> {
    let CancelFuture { request_id: id, .. } = body::json(&call.body)?;
    if call.is_own(&id.session())
        && let Found::Known(promise) = call.operations.promises.find(&id)
        && promise.class() == Class::Sampling
    {
        call.operations.cancel_sample(&id);
    }
    Ok(response::json(&json!({})))
}
