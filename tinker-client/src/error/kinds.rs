//! The payloads of [`Error`](super::Error), one opaque struct each.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;
use tinker_types::{ErrorCategory, InvalidValue, RequestId, SessionId};

/// A configuration that cannot be used.
#[derive(Debug, Error)]
#[error("{what}")]
pub struct ConfigError {
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ConfigError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// An error status of the server.
#[derive(Debug)]
pub struct StatusError(Box<StatusInner>);

#[derive(Debug)]
struct StatusInner {
    status: StatusCode,
    operation: &'static str,
    detail: String,
    request_id: Option<RequestId>,
    attempts: u32,
}

impl StatusError {
    pub(crate) fn new(status: StatusCode, operation: &'static str, detail: String) -> Self {
        Self(Box::new(StatusInner {
            status,
            operation,
            detail,
            request_id: None,
            attempts: 1,
        }))
    }

    pub(crate) fn with_request_id(mut self, request_id: RequestId) -> Self {
        self.0.request_id = Some(request_id);
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Name of the operation, for example `optim_step`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The server's message, shortened to a few hundred characters; may be empty.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The accepted request whose result was polled for; `None` if the submission itself was refused.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.0.request_id.as_ref()
    }

    /// Number of times the request was sent.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        write!(
            f,
            "{}: the server answered {}",
            inner.operation, inner.status
        )?;
        if let Some(request_id) = &inner.request_id {
            write!(f, " to a poll for the result of {request_id}")?;
        }
        if inner.attempts > 1 {
            write!(f, " ({} attempts)", inner.attempts)?;
        }
        if inner.detail.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", inner.detail)
    }
}

impl StdError for StatusError {}

/// An operation that the server accepted and that failed.
#[derive(Debug, Error)]
#[error("{operation}: {message} ({} error, request {request_id})", category_word(*category))]
pub struct RequestFailed {
    operation: &'static str,
    request_id: RequestId,
    category: ErrorCategory,
    message: Box<str>,
}

impl RequestFailed {
    pub(crate) fn new(
        operation: &'static str,
        request_id: RequestId,
        category: ErrorCategory,
        message: &str,
    ) -> Self {
        Self {
            operation,
            request_id,
            category,
            message: message.into(),
        }
    }

    /// Name of the operation.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Id of the request.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The party at fault, according to the server.
    pub fn category(&self) -> ErrorCategory {
        self.category
    }

    /// The server's message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

fn category_word(category: ErrorCategory) -> &'static str {
    match category {
        ErrorCategory::User => "user",
        ErrorCategory::Server => "server",
        ErrorCategory::Unknown => "unknown",
    }
}

/// A promise that the server no longer keeps.
#[derive(Debug)]
pub struct Gone {
    operation: &'static str,
    request_id: RequestId,
    has_expired: bool,
}

impl Gone {
    pub(crate) fn new(operation: &'static str, request_id: RequestId, has_expired: bool) -> Self {
        Self {
            operation,
            request_id,
            has_expired,
        }
    }

    /// Id of the request.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Whether the promise has expired (410). False if the server does not know it (404).
    pub fn has_expired(&self) -> bool {
        self.has_expired
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            request_id,
            has_expired,
        } = self;
        if *has_expired {
            return write!(
                f,
                "{operation}: request {request_id} has expired on the server (410)"
            );
        }
        write!(
            f,
            "{operation}: the server does not know request {request_id} (404), for example after a restart; saved checkpoints can be loaded again"
        )
    }
}

impl StdError for Gone {}

/// A server that accepted an operation and then could not be reached for too long.
#[derive(Debug, Error)]
#[error(
    "{operation}: the server could not be reached for {:.0} s while request {request_id} was in flight", lasted.as_secs_f64()
)]
pub struct Unreachable {
    operation: &'static str,
    request_id: RequestId,
    lasted: Duration,
    source: tinker_transport::TransportError,
}

impl Unreachable {
    pub(crate) fn new(
        operation: &'static str,
        request_id: RequestId,
        lasted: Duration,
        source: tinker_transport::TransportError,
    ) -> Self {
        Self {
            operation,
            request_id,
            lasted,
            source,
        }
    }

    /// Id of the request.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Time without contact.
    pub fn lasted(&self) -> Duration {
        self.lasted
    }
}

/// An answer that does not match the protocol.
#[derive(Debug, Error)]
#[error("{operation}: {what}")]
pub struct DecodeError {
    operation: &'static str,
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl DecodeError {
    pub(crate) fn new(operation: &'static str, what: impl Into<String>) -> Self {
        Self {
            operation,
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn protobuf(operation: &'static str, source: InvalidValue) -> Self {
        Self::new(operation, "the protobuf answer is malformed").because(source)
    }

    /// Name of the operation.
    pub fn operation(&self) -> &'static str {
        self.operation
    }
}

/// A trace that the server could not make.
#[derive(Debug, Error)]
#[error("the trace of session {session_id} could not be made: {message}")]
pub struct ExportFailed {
    session_id: SessionId,
    message: String,
}

impl ExportFailed {
    pub(crate) fn new(session_id: SessionId, message: Option<String>) -> Self {
        let message = message.unwrap_or_else(|| "the server gives no reason".to_owned());
        Self {
            session_id,
            message,
        }
    }

    /// Id of the session.
    pub fn session_id(&self) -> &SessionId {
        &self.session_id
    }

    /// The server's message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A session that has ended, or a runtime that has shut down.
#[derive(Debug, Error)]
#[error("{what}")]
pub struct Closed {
    what: &'static str,
}

impl Closed {
    pub(crate) fn by_caller() -> Self {
        Self {
            what: "the session was closed by ServiceClient::close; make a new client",
        }
    }

    pub(crate) fn by_server() -> Self {
        Self {
            what: "the server has ended the session; make a new client and load the last checkpoint",
        }
    }

    pub(crate) fn with_runtime() -> Self {
        Self {
            what: "the tokio runtime shut down before the operation ended",
        }
    }
}
