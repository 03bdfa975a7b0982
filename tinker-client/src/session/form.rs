//! The way in which a server takes passes without gradients.

use serde::{Deserialize, Serialize};

/// The way in which a server takes passes without gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ForwardForm {
    /// A flag in the message.
    Flag,
    /// A URL.
    Url,
    /// None: it ignores the flag and has no URL.
    None,
}
