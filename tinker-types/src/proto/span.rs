//! Origins of tokens.

use super::generated as wire;
use super::generated::provenance_span::Span as WireSpan;
use crate::{InvalidValue, ProvenanceSpan, Span};

pub(super) fn encode_span(span: &ProvenanceSpan) -> wire::ProvenanceSpan {
    let Span {
        sequence_id,
        offset,
        length,
    } = span.span().clone();
    let (sequence_id, offset, length) = (sequence_id.to_string(), offset as i64, length as i64);
    let span = match span {
        ProvenanceSpan::PromptTokens(_) => WireSpan::PromptTokens(wire::PromptProvenanceSpan {
            sequence_id,
            offset,
            length,
        }),
        ProvenanceSpan::SampledTokens(_) => WireSpan::SampledTokens(wire::SampledProvenanceSpan {
            sequence_id,
            offset,
            length,
        }),
    };
    wire::ProvenanceSpan { span: Some(span) }
}

pub(super) fn decode_span(span: wire::ProvenanceSpan) -> Result<ProvenanceSpan, InvalidValue> {
    let number = |n: i64| {
        u64::try_from(n).map_err(|_| InvalidValue::new("", "has a negative offset or length"))
    };
    match span.span {
        None => Err(InvalidValue::new("", "has an unknown kind")),
        Some(WireSpan::PromptTokens(span)) => {
            let (offset, length) = (number(span.offset)?, number(span.length)?);
            Ok(ProvenanceSpan::prompt(span.sequence_id, offset, length))
        }
        Some(WireSpan::SampledTokens(span)) => {
            let (offset, length) = (number(span.offset)?, number(span.length)?);
            Ok(ProvenanceSpan::sampled(span.sequence_id, offset, length))
        }
    }
}
