//! Results of sampling.

use bytes::Bytes;
use prost::Message;

use super::array::{copy, read};
use super::generated as wire;
use super::tensor;
use crate::error::each;
use crate::{AltTokens, InvalidValue, SampleResponse, SampledSequence, StopReason, TokenLogprob};

/// Log probability of an unused cell in a matrix of most likely tokens.
const UNUSED: f32 = -99_999.0;

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

/// Decodes the result of a sampling request.
///
/// # Errors
/// The bytes are not such a message, or arrays do not match in length.
pub fn decode_sample(body: Bytes) -> Result<SampleResponse, InvalidValue> {
    let message =
        wire::SampleResponse::decode(body).map_err(|e| InvalidValue::new("", e.to_string()))?;
    let prompt_logprobs = message.prompt_logprobs.filter(|bytes| !bytes.is_empty());
    let prompt_logprobs = prompt_logprobs
        .map(|bytes| read::<f32, Vec<_>>(&bytes))
        .transpose()?;
    let topk = decode_topk(message.topk_prompt_logprobs)?;
    Ok(SampleResponse {
        sequences: each(message.sequences, "sequences", decode_sequence)?,
        prompt_logprobs: prompt_logprobs.map(|logprobs| {
            logprobs
                .into_iter()
                .map(|lp| (!lp.is_nan()).then_some(lp))
                .collect()
        }),
        topk_prompt_logprobs: topk.map(|rows| {
            rows.into_iter()
                .map(|row| Some(row).filter(|row| !row.is_empty()))
                .collect()
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

fn decode_sequence(sequence: wire::SampledSequence) -> Result<SampledSequence, InvalidValue> {
    let stop_reason = match wire::StopReason::try_from(sequence.stop_reason) {
        Ok(wire::StopReason::Stop) => StopReason::Stop,
        Ok(wire::StopReason::Length) => StopReason::Length,
        Err(_) => {
            return Err(InvalidValue::new(
                "stop_reason",
                format!("{} is not known", sequence.stop_reason),
            ));
        }
    };
    let tokens: Vec<u32> = read(&sequence.tokens).map_err(|e| e.within("tokens"))?;
    let logprobs = sequence.logprobs.filter(|bytes| !bytes.is_empty());
    let logprobs = logprobs
        .map(|bytes| read::<f32, Vec<_>>(&bytes))
        .transpose()?;
    if logprobs
        .as_ref()
        .is_some_and(|logprobs| logprobs.len() != tokens.len())
    {
        return Err(InvalidValue::new(
            "logprobs",
            format!("are not one for each of {} tokens", tokens.len()),
        ));
    }
    Ok(SampledSequence {
        logprobs,
        topk_logprobs: decode_topk(sequence.topk_sampled_logprobs)?,
        ..SampledSequence::new(stop_reason, tokens)
    })
}

fn decode_topk(
    topk: Option<wire::TopkLogprobs>,
) -> Result<Option<Vec<Vec<TokenLogprob>>>, InvalidValue> {
    let topk = topk.unwrap_or_default();
    let (k, length) = (topk.k as usize, topk.length as usize);
    if k == 0 || length == 0 {
        return Ok(None);
    }
    let ids: Vec<u32> = read(&topk.token_ids)?;
    let logprobs: Vec<f32> = read(&topk.logprobs)?;
    let cells = k
        .checked_mul(length)
        .filter(|&cells| ids.len() >= cells && logprobs.len() >= cells);
    if cells.is_none() {
        return Err(InvalidValue::new(
            "topk_logprobs",
            format!("holds fewer than {length} rows of {k}"),
        ));
    }
    let row = |at: usize| {
        let cells = ids[at * k..]
            .iter()
            .copied()
            .zip(logprobs[at * k..].iter().copied())
            .take(k);
        let mut row: Vec<TokenLogprob> = cells.collect();
        let used = row
            .iter()
            .rposition(|&cell| cell != (0, UNUSED))
            .map_or(0, |last| last + 1);
        row.truncate(if row[0] == (0, UNUSED) { 0 } else { used });
        row
    };
    Ok(Some((0..length).map(row).collect()))
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
        assert_eq!(decode_sample(encode_sample(&response)).unwrap(), response);
    }

    #[test]
    fn a_missing_stop_reason_is_stop_and_another_is_an_error() {
        let sequence = |stop_reason, logprobs: Option<&[f32]>| {
            decode_sequence(wire::SampledSequence {
                stop_reason,
                tokens: copy(&[7_u32, 8]),
                logprobs: logprobs.map(copy),
                topk_sampled_logprobs: None,
            })
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
            decode_topk(Some(wire::TopkLogprobs {
                token_ids: copy(ids),
                logprobs: copy(logprobs),
                k,
                length,
            }))
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
            let _ = decode_sample(bytes.into());
        }
    }
}
