//! Where the tokens of a datum came from.

use serde::{Deserialize, Serialize};

use crate::SequenceId;

/// Positions `[offset, offset + length)` of one sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Span {
    /// The sampled sequence, or the one whose prompt is meant.
    pub sequence_id: SequenceId,
    /// First position.
    #[serde(default)]
    pub offset: u64,
    /// Number of positions; may be 0.
    pub length: u64,
}

/// A run of positions that came from one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProvenanceSpan {
    /// Tokens of the prompt of the request that made the sequence.
    PromptTokens(Span),
    /// Tokens sampled in the sequence.
    SampledTokens(Span),
}

impl ProvenanceSpan {
    /// The positions it names.
    pub fn span(&self) -> &Span {
        match self {
            Self::PromptTokens(span) | Self::SampledTokens(span) => span,
        }
    }
}
