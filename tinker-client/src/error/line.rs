//! Errors on one line.

use std::error::Error as StdError;

use tinker_transport::TransportError;

/// An error with its causes on one line. Of the causes of a failed transport only the last one is written, unless `all`
/// are wanted.
pub(super) fn line(error: &(dyn StdError + 'static), all: bool) -> String {
    let mut text = error.to_string();
    let mut current = error;
    while let Some(mut cause) = current.source() {
        if current.is::<TransportError>() && !all {
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
        }
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        current = cause;
    }
    text
}

/// An error with its causes on one line.
pub(crate) fn one_line(error: &(dyn StdError + 'static)) -> String {
    line(error, false)
}
