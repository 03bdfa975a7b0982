//! Results of sampling.

use bytes::Bytes;
use prost::Message;

use super::array::{copy, read};
use super::generated as wire;
use super::sample_view::{SampleView, SequenceView, TopkView, UNUSED};
use super::tensor;
use crate::error::each;
use crate::{AltTokens, InvalidValue, SampleResponse, SampledSequence, StopReason, TokenLogprob};

/// Encodes the result of a sampling request.
pub fn encode_sample(response: &SampleResponse) -> Bytes {
    let prompt = response.prompt_logprobs.as_ref().map(|logprobs| {
        let numbers: Vec<f32> = logprobs
            .iter()
            .map(|logprob| logprob.unwrap_or(f32::NAN))
            .collect();
        copy(&numbers)
    });
    let message = wire::SampleResponse {
        sequences: response.sequences.iter().map(encode_sequence).collect(),
        prompt_logprobs: prompt,
        topk_prompt_logprobs: response
            .topk_prompt_logprobs
            .as_ref()
            .map(|rows| encode_topk(rows.iter().map(|row| row.as_deref().unwrap_or_default()))),
        prompt_cache_hit_tokens: response.prompt_cache_hit_tokens as i32,
        target_prompt_logprobs: response.target_prompt_logprobs.as_ref().map(tensor::encode),
        prompt_alt_tokens: response.prompt_alt_tokens.as_ref().map(|alternatives| {
            wire::PromptAltTokens {
                tokens: Some(tensor::encode(&alternatives.tokens)),
                logprobs: Some(tensor::encode(&alternatives.logprobs)),
            }
        }),
    };
    message.encode_to_vec().into()
}

fn encode_sequence(sequence: &SampledSequence) -> wire::SampledSequence {
    let reason = match sequence.stop_reason {
        StopReason::Stop => wire::StopReason::Stop,
        StopReason::Length => wire::StopReason::Length,
    };
    wire::SampledSequence {
        stop_reason: reason.into(),
        tokens: copy(&sequence.tokens),
        logprobs: sequence.logprobs.as_deref().map(copy),
        topk_sampled_logprobs: sequence
            .topk_logprobs
            .as_ref()
            .map(|rows| encode_topk(rows.iter().map(Vec::as_slice))),
    }
}

fn encode_topk<'a>(
    rows: impl ExactSizeIterator<Item = &'a [TokenLogprob]> + Clone,
) -> wire::TopkLogprobs {
    let k = rows.clone().map(<[_]>::len).max().unwrap_or(0);
    let length = rows.len();
    let (mut ids, mut logprobs) = (
        Vec::with_capacity(k * length),
        Vec::with_capacity(k * length),
    );
    for row in rows {
        let padded = row
            .iter()
            .copied()
            .chain(std::iter::repeat((0, UNUSED)))
            .take(k);
        for (id, logprob) in padded {
            ids.push(id);
            logprobs.push(logprob);
        }
    }
    wire::TopkLogprobs {
        token_ids: copy(&ids),
        logprobs: copy(&logprobs),
        k: k as u32,
        length: length as u32,
    }
}

/// Decodes the result of a sampling request; its arrays are copied into vectors.
///
/// # Errors
/// The bytes are not such a message, or arrays do not match in length.
pub fn decode_sample(body: Bytes) -> Result<SampleResponse, InvalidValue> {
    let mut message = decode_message(body)?;
    let sequences = std::mem::take(&mut message.sequences);
    let mut response = decode_prompt(message)?;
    let decode = |sequence| SequenceView::new(sequence).map(SampledSequence::from);
    response.sequences = each(sequences, "sequences", decode)?;
    Ok(response)
}

/// Decodes the result of a sampling request, and leaves the arrays of its sequences where they are in the body. What is
/// reported about the prompt is copied.
///
/// # Errors
/// As for [`decode_sample`].
pub fn view_sample(body: Bytes) -> Result<SampleView, InvalidValue> {
    let mut message = decode_message(body)?;
    let sequences = std::mem::take(&mut message.sequences);
    Ok(SampleView {
        sequences: each(sequences, "sequences", SequenceView::new)?,
        prompt: decode_prompt(message)?,
    })
}

fn decode_message(body: Bytes) -> Result<wire::SampleResponse, InvalidValue> {
    wire::SampleResponse::decode(body).map_err(|e| InvalidValue::new("", e.to_string()))
}

/// The part of a response that is about the prompt.
fn decode_prompt(message: wire::SampleResponse) -> Result<SampleResponse, InvalidValue> {
    let prompt_logprobs = message.prompt_logprobs.filter(|bytes| !bytes.is_empty());
    let prompt_logprobs = prompt_logprobs
        .map(|bytes| read::<f32, Vec<_>>(&bytes))
        .transpose()?;
    let topk = TopkView::new(message.topk_prompt_logprobs)?;
    Ok(SampleResponse {
        sequences: Vec::new(),
        prompt_logprobs: prompt_logprobs.map(|logprobs| {
            logprobs
                .into_iter()
                .map(|lp| (!lp.is_nan()).then_some(lp))
                .collect()
        }),
        topk_prompt_logprobs: topk.map(|topk| {
            let row = |at| Some(topk.row(at).collect()).filter(|row: &Vec<_>| !row.is_empty());
            (0..topk.len()).map(row).collect()
        }),
        target_prompt_logprobs: message
            .target_prompt_logprobs
            .map(tensor::decode)
            .transpose()?,
        prompt_cache_hit_tokens: u32::try_from(message.prompt_cache_hit_tokens).unwrap_or(0),
        prompt_alt_tokens: message
            .prompt_alt_tokens
            .map(decode_alternatives)
            .transpose()?,
    })
}

fn decode_alternatives(alternatives: wire::PromptAltTokens) -> Result<AltTokens, InvalidValue> {
    let missing =
        |field: &str| InvalidValue::new(format!("prompt_alt_tokens.{field}"), "is missing");
    Ok(AltTokens {
        tokens: tensor::decode(alternatives.tokens.ok_or_else(|| missing("tokens"))?)?,
        logprobs: tensor::decode(alternatives.logprobs.ok_or_else(|| missing("logprobs"))?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn responses_survive() {
        let mut sequence = SampledSequence::new(StopReason::Length, vec![100, 101]);
        sequence.logprobs = Some(vec![-0.25, -0.5]);
        sequence.topk_logprobs = Some(vec![vec![(10, -0.5), (11, -1.0)], vec![(30, -0.5)]]);
        let response = SampleResponse {
            sequences: vec![sequence, SampledSequence::new(StopReason::Stop, vec![])],
            prompt_logprobs: Some(vec![None, Some(-0.125)]),
            topk_prompt_logprobs: Some(vec![None, Some(vec![(1, -0.5)])]),
            prompt_cache_hit_tokens: 2,
            ..SampleResponse::default()
        };
        let body = encode_sample(&response);
        assert_eq!(decode_sample(body.clone()).unwrap(), response);
        let view = view_sample(body.clone()).unwrap();
        assert_eq!(SampleResponse::from(view.clone()), response);
        assert_eq!(SampleView::from(response), view);
        let within = body.as_ptr_range();
        let tokens = view.sequences[0].tokens.as_slice().map(<[u32]>::as_ptr);
        assert!(tokens.is_none_or(|tokens| within.contains(&tokens.cast())));
    }

    #[test]
    fn a_missing_stop_reason_is_stop_and_another_is_an_error() {
        let sequence = |stop_reason, logprobs: Option<&[f32]>| {
            SequenceView::new(wire::SampledSequence {
                stop_reason,
                tokens: copy(&[7_u32, 8]),
                logprobs: logprobs.map(copy),
                topk_sampled_logprobs: None,
            })
            .map(SampledSequence::from)
        };
        let read = |stop_reason| sequence(stop_reason, None).unwrap().stop_reason;
        assert_eq!((read(0), read(1)), (StopReason::Stop, StopReason::Length));
        assert!(sequence(2, None).is_err());

        let logprobs = |given| sequence(0, given).unwrap().logprobs;
        assert_eq!(logprobs(Some(&[-1.0, -2.0])), Some(vec![-1.0, -2.0]));
        assert_eq!((logprobs(None), logprobs(Some(&[]))), (None, None));
        assert!(sequence(0, Some(&[-1.0])).is_err());
    }

    #[test]
    fn unused_cells_are_dropped() {
        let read = |ids: &[u32], logprobs: &[f32], k, length| {
            let topk = TopkView::new(Some(wire::TopkLogprobs {
                token_ids: copy(ids),
                logprobs: copy(logprobs),
                k,
                length,
            }));
            topk.map(|topk| topk.map(|topk| topk.to_rows()))
        };
        // The second row is missing, the third ends early; token 0 with another number is a token.
        let ids = [10, 11, 0, 0, 30, 0, 0, 41, 99];
        let numbers = [-0.5, -1.0, UNUSED, UNUSED, -0.5, UNUSED, -2.0, -3.0, -9.0];
        let rows = read(&ids, &numbers, 2, 4).unwrap().unwrap();
        assert_eq!(
            rows,
            [
                vec![(10, -0.5), (11, -1.0)],
                vec![],
                vec![(30, -0.5)],
                vec![(0, -2.0), (41, -3.0)],
            ]
        );
        assert_eq!(read(&[1, 2], &[-1.0, -2.0], 0, 2).unwrap(), None);
        assert_eq!(read(&[1, 2], &[-1.0, -2.0], 2, 0).unwrap(), None);
        assert!(read(&[1, 2, 3], &[-1.0, -2.0, -3.0], 2, 2).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            let decoded = decode_sample(bytes.clone());
            prop_assert_eq!(decoded.is_ok(), view_sample(bytes).is_ok());
        }
    }
}
