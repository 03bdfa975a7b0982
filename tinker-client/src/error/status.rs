//! Error statuses of the server.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;
use tinker_types::RequestId;

use super::advice::{Advice, Cause};

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
    advice: Option<Advice>,
}

impl StatusError {
    pub(crate) fn new(status: StatusCode, operation: &'static str, detail: String) -> Self {
        Self(Box::new(StatusInner {
            status,
            operation,
            detail,
            request_id: None,
            attempts: 1,
            advice: None,
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

    pub(crate) fn with_advice(mut self, advice: Option<Advice>) -> Self {
        self.0.advice = advice;
        self
    }

    /// Adds advice where there is none.
    pub(crate) fn or_advice(mut self, advice: Advice) -> Self {
        self.0.advice.get_or_insert(advice);
        self
    }

    /// Advice, if the cause of the refusal was recognized.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_ref().map(|advice| &*advice.text)
    }

    /// Whether the server refused the key as such, and not the access to one object.
    pub fn is_key_refused(&self) -> bool {
        self.has_cause(Cause::Key)
    }

    /// Whether the server does not have the route.
    pub fn is_route_missing(&self) -> bool {
        self.has_cause(Cause::Route)
    }

    /// Whether a checkpoint of the name of this save exists.
    pub fn is_name_taken(&self) -> bool {
        self.has_cause(Cause::Name)
    }

    fn has_cause(&self, cause: Cause) -> bool {
        self.0
            .advice
            .as_ref()
            .is_some_and(|advice| advice.cause == cause)
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
        if !inner.detail.is_empty() {
            write!(f, ": {}", inner.detail)?;
        }
        match &inner.advice {
            Some(advice) => write!(f, "; {}", advice.text),
            None => Ok(()),
        }
    }
}

impl StdError for StatusError {}
