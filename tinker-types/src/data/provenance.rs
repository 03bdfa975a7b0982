//! Provenance of the tokens of a datum.

use serde::{Deserialize, Serialize};

use crate::{InvalidValue, SequenceId};

/// Positions `[offset, offset + length)` of one sequence, in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Span {
    /// The sampled sequence; for a prompt span, the sequence sampled after that prompt.
    pub sequence_id: SequenceId,
    /// First position, from 0.
    #[serde(default)]
    pub offset: u64,
    /// Number of positions; may be 0.
    pub length: u64,
}

/// A run of positions with the same origin. Spans are contiguous, see
/// [`Datum::with_provenance`](crate::Datum::with_provenance).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProvenanceSpan {
    /// Tokens of the prompt after which the sequence was sampled.
    PromptTokens(Span),
    /// Tokens of the sampled sequence.
    SampledTokens(Span),
}

impl ProvenanceSpan {
    /// `length` tokens, starting at `offset`, of the prompt after which the sequence was sampled.
    pub fn prompt(sequence_id: impl Into<SequenceId>, offset: u64, length: u64) -> Self {
        Self::PromptTokens(Span::new(sequence_id.into(), offset, length))
    }

    /// `length` tokens, starting at `offset`, of the sampled sequence.
    pub fn sampled(sequence_id: impl Into<SequenceId>, offset: u64, length: u64) -> Self {
        Self::SampledTokens(Span::new(sequence_id.into(), offset, length))
    }

    /// The positions of the span.
    pub fn span(&self) -> &Span {
        match self {
            Self::PromptTokens(span) | Self::SampledTokens(span) => span,
        }
    }
}

impl Span {
    fn new(sequence_id: SequenceId, offset: u64, length: u64) -> Self {
        Self {
            sequence_id,
            offset,
            length,
        }
    }
}

/// Checks that all spans have sequence ids and together cover this number of positions; `None` if the number is not
/// known.
pub(crate) fn check_tiles(
    spans: &[ProvenanceSpan],
    positions: Option<usize>,
    what: &str,
) -> Result<(), InvalidValue> {
    let mut covered = 0_u64;
    for (index, span) in spans.iter().map(ProvenanceSpan::span).enumerate() {
        let refuse = |why| Err(InvalidValue::new(format!("[{index}]"), why));
        if span.sequence_id.as_str().is_empty() {
            return refuse("has no sequence id; give that of the sample");
        }
        if span
            .offset
            .checked_add(span.length)
            .is_none_or(|end| i64::try_from(end).is_err())
        {
            return refuse("ends beyond the largest position");
        }
        covered = covered.saturating_add(span.length);
    }
    match positions {
        Some(positions) if covered != positions as u64 => Err(InvalidValue::new(
            "",
            format!(
                "cover {covered} positions for {positions} {what}; spans must be contiguous and cover all of them"
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_what_they_are_of() {
        let tiles = [
            ProvenanceSpan::prompt("q", 1, 2),
            ProvenanceSpan::sampled("q", 0, 0),
            ProvenanceSpan::sampled("q", 0, 3),
        ];
        assert!(check_tiles(&tiles, Some(5), "tokens").is_ok());
        assert!(check_tiles(&tiles, None, "tokens").is_ok());
        let error = check_tiles(&tiles, Some(6), "input tokens").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cover 5 positions for 6 input tokens")
        );
        for bad in [
            ProvenanceSpan::prompt("", 0, 1),
            ProvenanceSpan::prompt("q", u64::MAX, 1),
            ProvenanceSpan::prompt("q", 0, u64::MAX),
        ] {
            let error = check_tiles(&[tiles[0].clone(), bad], None, "").unwrap_err();
            assert_eq!(error.place(), "[1]", "{error}");
        }
    }
}
