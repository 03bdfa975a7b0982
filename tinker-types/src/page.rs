//! Paging of lists.

use serde::{Deserialize, Serialize};

/// Position of a page in a list, and the size of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cursor {
    /// Number of entries before the page.
    pub offset: u64,
    /// Largest number of entries in the page.
    pub limit: u64,
    /// Number of entries in the list.
    pub total_count: u64,
}

/// Whose objects to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AccessScope {
    /// Objects of the user.
    #[default]
    Owned,
    /// All objects the user may read.
    Accessible,
}

impl AccessScope {
    /// Name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::Accessible => "accessible",
        }
    }
}
