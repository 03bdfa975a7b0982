//! What an engine refuses or fails at.

use thiserror::Error;

/// Whose fault a failure is: it decides the category a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request: the same request will fail again.
    User,
    /// The engine or its machine.
    Server,
}

/// A request the engine refused or could not finish. The message names the place, the cause and the fix.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct BackendError {
    fault: Fault,
    message: String,
}

impl BackendError {
    /// The request is at fault.
    pub fn user(message: impl Into<String>) -> Self {
        Self {
            fault: Fault::User,
            message: message.into(),
        }
    }

    /// The engine is at fault.
    pub fn server(message: impl Into<String>) -> Self {
        Self {
            fault: Fault::Server,
            message: message.into(),
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The message, without a prefix.
    pub fn message(&self) -> &str {
        &self.message
    }
}
