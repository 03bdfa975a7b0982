//! What a checked constructor or a check refuses.

use std::fmt;

use thiserror::Error;

/// A value the API would not accept. Says where it is, what is wrong and how to mend it.
///
/// Nothing has been sent when this is returned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct InvalidValue {
    place: String,
    message: String,
}

impl InvalidValue {
    /// A value at `place` (for example `data[3].loss_fn_inputs.weights`) is wrong as `message` says.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
        }
    }

    /// Where the value stands, as a path through the request. Empty for a value on its own.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What is wrong and how to mend it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error one level further out: `weights` inside `data[3]` becomes `data[3].weights`.
    #[must_use]
    pub fn within(mut self, outer: impl fmt::Display) -> Self {
        self.place = match self.place.as_str() {
            "" => outer.to_string(),
            inner if inner.starts_with('[') => format!("{outer}{inner}"),
            inner => format!("{outer}.{inner}"),
        };
        self
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.place, self.message)
        }
    }
}
