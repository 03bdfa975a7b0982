//! Errors of checked constructors and validation.

use std::fmt;

use thiserror::Error;

/// An invalid value. The error names the place, the cause and the fix.
///
/// No request has been sent when it is returned.
#[derive(Clone, PartialEq, Eq, Error)]
pub struct InvalidValue {
    place: String,
    message: String,
}

/// As `Display`, so that a `main` that returns the error prints a sentence.
impl fmt::Debug for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl InvalidValue {
    /// The value at `place`, for example `data[3].loss_fn_inputs.weights`, is invalid for the reason in `message`.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
        }
    }

    /// Path of the value within the request; empty for a single value.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Cause and fix.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Prefixes the path: `weights` within `data[3]` becomes `data[3].weights`.
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

/// Converts all items of the list at `place`; an error names the index of its item.
pub(crate) fn each<T, U, C: FromIterator<U>>(
    items: impl IntoIterator<Item = T>,
    place: &str,
    mut convert: impl FnMut(T) -> Result<U, InvalidValue>,
) -> Result<C, InvalidValue> {
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| convert(item).map_err(|e| e.within(format!("{place}[{index}]"))))
        .collect()
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
