//! The kinds of [`Error`](super::Error), one opaque struct each.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;
use tinker_types::{ErrorCategory, InvalidValue, RequestId, SessionId};

use super::Error;

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

/// An error status from the server.
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

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Name of the operation, for example `optim_step`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What the server says, cut to a few hundred characters; empty if it says nothing.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The accepted request whose result was asked for; `None` when the submission itself was
    /// answered like this.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.0.request_id.as_ref()
    }

    /// How often the request was sent.
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
            write!(f, " when asked for the result of {request_id}")?;
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

/// An operation that the server took on and that failed.
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

    /// The request.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Whose fault it is, as the server sees it.
    pub fn category(&self) -> ErrorCategory {
        self.category
    }

    /// What the server says.
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

/// A promise the server no longer keeps.
#[derive(Debug)]
pub struct Gone {
    operation: &'static str,
    request_id: RequestId,
    has_expired: bool,
}

impl Gone {
    pub(crate) fn expired(request_id: RequestId, operation: &'static str) -> Self {
        Self {
            operation,
            request_id,
            has_expired: true,
        }
    }

    pub(crate) fn unknown(request_id: RequestId, operation: &'static str) -> Self {
        Self {
            operation,
            request_id,
            has_expired: false,
        }
    }

    /// The request.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The server still knows the promise and says that it is over (410). False: it does not know
    /// it (404).
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
                "{operation}: the server gave up request {request_id} (410)"
            );
        }
        write!(
            f,
            "{operation}: the server no longer knows request {request_id} (404), as after a restart; saved checkpoints can be loaded again"
        )
    }
}

impl StdError for Gone {}

/// A server that took an operation on and then could not be reached for too long.
#[derive(Debug, Error)]
#[error(
    "{operation}: the server could not be reached for {:.0} s while request {request_id} was under way", lasted.as_secs_f64()
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

    /// The request.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// How long it was tried.
    pub fn lasted(&self) -> Duration {
        self.lasted
    }
}

/// An answer that is not what the protocol says.
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

/// A batch that was done in part.
#[derive(Debug, Error)]
#[error("{operation}: {done} of {requests} requests that carried the batch were done")]
pub struct PartlyDone {
    operation: &'static str,
    done: usize,
    requests: usize,
    #[source]
    first: Box<Error>,
}

impl PartlyDone {
    pub(crate) fn new(operation: &'static str, done: usize, requests: usize, first: Error) -> Self {
        Self {
            operation,
            done,
            requests,
            first: Box::new(first),
        }
    }

    /// Requests that were done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Requests in all.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Why the first of the others failed.
    pub fn first(&self) -> &Error {
        &self.first
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
        let message = message.unwrap_or_else(|| "the server does not say why".to_owned());
        Self {
            session_id,
            message,
        }
    }

    /// The session.
    pub fn session_id(&self) -> &SessionId {
        &self.session_id
    }

    /// What the server says.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A session, or a runtime, that is over.
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
