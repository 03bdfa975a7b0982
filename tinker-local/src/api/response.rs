//! Responses.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tinker_types::proto::CONTENT_TYPE as PROTOBUF;
use tinker_types::wire::header;
use tinker_types::{ErrorBody, ModelId, RequestId, Submitted};

use crate::LocalBody;
use crate::refusal::Refusal;

/// Response of the engine.
pub(crate) type Response = http::Response<LocalBody>;

/// Tells clients not to retry a response which they would retry by its status.
const SHOULD_RETRY: HeaderName = HeaderName::from_static(header::SHOULD_RETRY);

pub(super) fn json(value: &impl Serialize) -> Response {
    // Responses are plain structs with text keys, which always serialize.
    json_bytes(
        StatusCode::OK,
        serde_json::to_vec(value).unwrap_or_default().into(),
    )
}

/// The promise of an operation on a model.
pub(super) fn promised(id: RequestId, model: &ModelId) -> Response {
    let mut submitted = Submitted::new(id);
    submitted.model_id = Some(model.clone());
    json(&submitted)
}

pub(super) fn json_bytes(status: StatusCode, bytes: Bytes) -> Response {
    body(status, "application/json", LocalBody::whole(bytes))
}

pub(super) fn protobuf(bytes: Bytes) -> Response {
    body(StatusCode::OK, PROTOBUF, LocalBody::whole(bytes))
}

/// A file to be saved under a name.
pub(super) fn file(name: &str, bytes: Vec<u8>) -> Response {
    let kind = match name.rsplit_once('.') {
        Some((_, "json")) => "application/json",
        _ => "application/octet-stream",
    };
    body(StatusCode::OK, kind, LocalBody::whole(bytes.into()))
}

/// A response whose body breaks off.
pub(super) fn broken() -> Response {
    body(StatusCode::OK, "application/json", LocalBody::broken())
}

pub(super) fn body(status: StatusCode, kind: &'static str, body: LocalBody) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let body = serde_json::to_vec(&ErrorBody::new(refusal.detail)).unwrap_or_default();
        let mut response = json_bytes(refusal.status, body.into());
        let headers = response.headers_mut();
        match refusal.status {
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // Clients retry for minutes after a 409, but this one is final.
            StatusCode::CONFLICT => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            _ => {}
        }
        if let Some((name, value)) = refusal.header {
            headers.insert(name, value);
        }
        response
    }
}
