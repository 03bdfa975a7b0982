//! Pages of lists.

use serde::{Deserialize, Serialize};

/// Which page a list answer holds, and how many entries there are in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cursor {
    /// Entries before this page.
    pub offset: u64,
    /// Most entries of a page.
    pub limit: u64,
    /// Entries in all.
    pub total_count: u64,
}

/// Whose things to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AccessScope {
    /// One's own.
    #[default]
    Owned,
    /// All that may be read.
    Accessible,
}

impl AccessScope {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::Accessible => "accessible",
        }
    }
}
