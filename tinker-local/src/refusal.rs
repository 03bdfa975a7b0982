//! Refused requests.

use std::time::Duration;

use http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tinker_engine::backend::{BackendError, ErrorCategory};
use tinker_types::InvalidValue;
use tinker_types::wire::header;

use crate::bounded::bounded;
use crate::state::{Absent, Full};
use crate::store::StoreError;
use crate::work::Gone;

/// Status and message of the response to a refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    /// An additional header of the response.
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: bounded(detail.into()),
            header: None,
        }
    }

    /// The token is missing, invalid or expired.
    pub(crate) fn token(why: &str) -> Self {
        let mut refusal = Self::new(
            StatusCode::UNAUTHORIZED,
            format!("{}: {why}", header::API_KEY),
        );
        let value = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
        refusal.header = Some((WWW_AUTHENTICATE, value));
        refusal
    }

    /// The API key is missing or not accepted. Without the marker of a token, clients do not send the request again.
    pub(crate) fn key(why: &str) -> Self {
        let detail = format!("{}: {why}", header::API_KEY);
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, detail);
        refusal.header = Some((WWW_AUTHENTICATE, HeaderValue::from_static("ApiKey")));
        refusal
    }

    /// Refused by an injected fault.
    pub(crate) fn on_purpose(status: StatusCode, retry_after: Option<Duration>) -> Self {
        let mut refusal = Self::new(status, "refused on purpose, by the engine's behavior");
        refusal.header = retry_after.map(|wait| (RETRY_AFTER, wait.as_secs().into()));
        refusal
    }

    /// The body cannot be parsed.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The body has an invalid value.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, detail)
    }

    /// Whether the same request may succeed later, so that its number stays free.
    pub(crate) fn is_passing(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS || self.status.is_server_error()
    }

    /// The id of a `what` was not found.
    pub(crate) fn absent(what: &str, id: &str, absent: Absent) -> Self {
        match absent {
            Absent::Unknown => Self::not_found(format!(
                "{what} {id} is not known to this server; it may have been restarted since, but what was saved can be loaded"
            )),
            Absent::Ended => Self::gone(format!(
                "the session of {what} {id} has ended; open a new one and load what was saved"
            )),
            Absent::Unloaded => Self::gone(format!(
                "{what} {id} was unloaded; make a new one, from a saved checkpoint if need be"
            )),
            Absent::Forgotten => Self::gone(format!(
                "{what} {id} was let go to make room for newer ones; make a new one, from a saved checkpoint if need be"
            )),
        }
    }
}

impl From<Refusal> for BackendError {
    fn from(refusal: Refusal) -> Self {
        if refusal.status.is_server_error() {
            Self::server(refusal.detail)
        } else {
            Self::user(refusal.detail)
        }
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        match error.category() {
            ErrorCategory::User => Self::invalid(error.message()),
            ErrorCategory::Server => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.message()),
        }
    }
}

impl From<InvalidValue> for Refusal {
    fn from(invalid: InvalidValue) -> Self {
        Self::invalid(invalid.to_string())
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, full.0)
    }
}

impl From<Gone> for Refusal {
    fn from(_: Gone) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the engine has stopped or crashed on this request; the log has details",
        )
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::NotFound { .. } | StoreError::Expired { .. } => StatusCode::NOT_FOUND,
            StoreError::AlreadySo { .. } => StatusCode::CONFLICT,
            // A retry does not help, and clients retry for minutes after a 5xx.
            StoreError::Unfit { .. } | StoreError::Taken { .. } | StoreError::Damaged { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.report())
    }
}
