//! Scripted failures.

use http::{Response, StatusCode};
use serde_json::json;
use tinker_transport::{Body, Kind, Stage, TransportError};
use tinker_types::ErrorCategory;

/// A failure of a request to a [`MockServer`](super::MockServer).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// An answer with this status, and this detail in its body.
    Status(u16, String),
    /// No connection can be opened.
    Unreachable,
    /// The connection breaks before the answer.
    Interrupted,
    /// The operation is accepted and fails. Requests that are answered at once get a 400 or a 500 instead.
    Operation(ErrorCategory, String),
}

impl Failure {
    /// The answer to the request, for failures other than those of accepted operations.
    pub(super) fn answer(&self) -> Result<Response<Body>, TransportError> {
        match self {
            Self::Status(status, detail) => {
                let status =
                    StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Ok(json_answer(status, &json!({ "detail": detail })))
            }
            Self::Operation(category, message) => {
                let status = match category {
                    ErrorCategory::User => StatusCode::BAD_REQUEST,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                Ok(json_answer(status, &json!({ "detail": message })))
            }
            Self::Unreachable => Err(TransportError::new(
                Kind::Connect,
                Stage::NotSent,
                "the mock server refuses connections",
            )),
            Self::Interrupted => Err(TransportError::new(
                Kind::Interrupted,
                Stage::MaybeReceived,
                "the mock server broke the connection",
            )),
        }
    }
}

/// A JSON answer.
pub(super) fn json_answer(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let form = http::HeaderValue::from_static("application/json");
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, form);
    response
}
