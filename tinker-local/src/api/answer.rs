//! Answers.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use tinker_types::proto::CONTENT_TYPE as PROTOBUF;
use tinker_types::{ModelId, Problem, RequestId, Submitted};

use crate::LocalBody;
use crate::refusal::Refusal;

/// What a request is answered with.
pub(crate) type Answer = Response<LocalBody>;

/// Says whether a refused request may be tried again, to clients that would by its status.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

pub(super) fn json(value: &impl Serialize) -> Answer {
    // Answers are plain structs with text keys, which always have a JSON form.
    json_bytes(
        StatusCode::OK,
        serde_json::to_vec(value).unwrap_or_default().into(),
    )
}

/// The promise of an operation on a model.
pub(super) fn promised(id: RequestId, model: &ModelId) -> Answer {
    let mut submitted = Submitted::new(id);
    submitted.model_id = Some(model.clone());
    json(&submitted)
}

pub(super) fn json_bytes(status: StatusCode, bytes: Bytes) -> Answer {
    body(status, "application/json", LocalBody::whole(bytes))
}

pub(super) fn protobuf(bytes: Bytes) -> Answer {
    body(StatusCode::OK, PROTOBUF, LocalBody::whole(bytes))
}

/// A file to be kept under a name.
pub(super) fn file(name: &str, bytes: Vec<u8>) -> Answer {
    let kind = match name.rsplit_once('.') {
        Some((_, "json")) => "application/json",
        _ => "application/octet-stream",
    };
    body(StatusCode::OK, kind, LocalBody::whole(bytes.into()))
}

/// An answer that breaks off.
pub(super) fn broken() -> Answer {
    body(StatusCode::OK, "application/json", LocalBody::broken())
}

pub(super) fn body(status: StatusCode, kind: &'static str, body: LocalBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let problem = serde_json::to_vec(&Problem::new(refusal.detail)).unwrap_or_default();
        let mut answer = json_bytes(refusal.status, problem.into());
        let headers = answer.headers_mut();
        match refusal.status {
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // Clients try again for minutes after a 409, and this one stays as it is.
            StatusCode::CONFLICT => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            _ => {}
        }
        if let Some((name, value)) = refusal.header {
            headers.insert(name, value);
        }
        answer
    }
}
