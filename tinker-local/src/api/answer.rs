//! Answers.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use tinker_types::Problem;
use tinker_types::proto::CONTENT_TYPE as PROTOBUF;

use super::refusal::Refusal;

/// What a request is answered with: always one whole body.
pub(crate) type Answer = Response<Full<Bytes>>;

pub(super) fn json(value: &impl Serialize) -> Answer {
    // Answers are plain structs with text keys, which always have a JSON form.
    json_bytes(
        StatusCode::OK,
        serde_json::to_vec(value).unwrap_or_default().into(),
    )
}

pub(super) fn json_bytes(status: StatusCode, bytes: Bytes) -> Answer {
    body(status, HeaderValue::from_static("application/json"), bytes)
}

pub(super) fn protobuf(bytes: Bytes) -> Answer {
    body(StatusCode::OK, HeaderValue::from_static(PROTOBUF), bytes)
}

fn body(status: StatusCode, kind: HeaderValue, bytes: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(bytes));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let problem = serde_json::to_vec(&Problem::new(refusal.detail)).unwrap_or_default();
        let mut answer = json_bytes(refusal.status, problem.into());
        if refusal.status == StatusCode::TOO_MANY_REQUESTS {
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}
