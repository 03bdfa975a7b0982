//! Limits on the length of sequences.

use super::error::{ErrorKind, LineError};

/// Limit on the tokens of a sequence, and what happens to longer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LengthLimit {
    /// A longer sequence is an error of its line.
    Refuse(usize),
    /// A longer sequence is left out.
    LeaveOut(usize),
    /// A longer sequence loses its end, and with it the end token: the model does not learn to stop there. One whose
    /// learned tokens are all behind the limit is left out.
    Cut(usize),
    /// There is no known limit.
    Unknown,
}

impl LengthLimit {
    /// The largest number of tokens; `None` if it is unknown.
    pub fn most(self) -> Option<usize> {
        match self {
            Self::Refuse(most) | Self::LeaveOut(most) | Self::Cut(most) => Some(most),
            Self::Unknown => None,
        }
    }
}

/// The error of a sequence above the limit.
pub(super) fn too_long(tokens: usize, most: usize) -> LineError {
    LineError::new(
        ErrorKind::Length,
        format!("has {tokens} tokens, more than the {most} a sequence may have"),
        "shorten it, or cut or leave out long examples",
    )
}
