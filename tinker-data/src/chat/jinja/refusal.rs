//! Errors of operations.

use minijinja::{Error, ErrorKind, Value};

/// Values that a list may have where it is read as a whole.
const MOST: usize = 1_000_000;

/// An error of an operation.
pub(super) fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Values of an iterable. More than a million are an error: the engine adds lists without a copy, so that a short
/// template can make one that fits no memory.
pub(super) fn collect(value: &Value) -> Result<Vec<Value>, Error> {
    let values = value.try_iter()?.checked().take(MOST + 1);
    let values: Vec<Value> = values.collect::<Result<_, _>>()?;
    if values.len() > MOST {
        return Err(refuse(format!("a list has more than {MOST} values")));
    }
    Ok(values)
}
