//! The payloads of [`Error`](super::Error), one opaque struct each.

use std::error::Error as StdError;
use std::time::Duration;

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

    /// Adds advice to the message.
    pub(crate) fn with_advice(mut self, advice: &str) -> Self {
        self.message = format!("{}; {advice}", self.message).into();
        self
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

/// A client that was closed, or a runtime that has shut down.
#[derive(Debug, Error)]
#[error("{what}")]
pub struct Closed {
    what: &'static str,
}

impl Closed {
    pub(crate) fn by_caller() -> Self {
        Self {
            what: "the client was closed by ServiceClient::close; make a new client",
        }
    }

    pub(crate) fn with_runtime() -> Self {
        Self {
            what: "the tokio runtime shut down before the operation ended",
        }
    }
}
