//! Errors of a backend.

use thiserror::Error;

/// Category of an error, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCategory {
    /// The request is at fault; the same request fails again.
    User,
    /// The engine or its machine is at fault.
    Server,
}

/// A request that the engine refused or could not finish. The message names the place, the cause and the fix.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct BackendError {
    category: ErrorCategory,
    message: String,
}

impl BackendError {
    /// An error of the request.
    pub fn user(message: impl Into<String>) -> Self {
        Self {
            category: ErrorCategory::User,
            message: message.into(),
        }
    }

    /// An error of the engine.
    pub fn server(message: impl Into<String>) -> Self {
        Self {
            category: ErrorCategory::Server,
            message: message.into(),
        }
    }

    /// The category.
    pub fn category(&self) -> ErrorCategory {
        self.category
    }

    /// The message, without a prefix.
    pub fn message(&self) -> &str {
        &self.message
    }
}
