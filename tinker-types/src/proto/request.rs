//! Training requests.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::array::{read, share};
use super::generated as wire;
use super::generated::chunk::Chunk as WireChunk;
use super::generated::loss_config_value::Value as WireValue;
use super::pieces::Pieces;
use super::span::{decode_span, encode_span};
use super::{datum, tensor};
use crate::error::each;
use crate::{
    Chunk, Datum, Dmel, ForwardBackward, Image, ImageFormat, InvalidValue, Loss, LossFn, LossValue,
    ModelInput,
};

/// Number of the field of the data.
const DATA: u32 = 3;

/// Encodes the body of a training request.
///
/// # Errors
/// The sequence number does not fit 32 bits, a token id does not fit 31 bits, or a chunk cannot be trained on.
pub fn encode_request(request: &ForwardBackward) -> Result<Bytes, InvalidValue> {
    let message = wire::ForwardBackwardRequest {
        model_id: request.model_id.to_string(),
        seq_id: sequence_number(request)?,
        data: each(&request.data[..], "data", encode_datum)?,
        ..settings(request)
    };
    Ok(message.encode_to_vec().into())
}

/// Encodes the body of a training request with a part of its data, in pieces that are sent one behind the other. Large
/// arrays are not copied: their pieces share the memory of the data.
///
/// ```
/// use tinker_types::{Datum, ForwardBackward, Loss, proto};
///
/// let data = vec![Datum::supervised(&[1, 2], &[3, 4]); 3];
/// let pass = ForwardBackward::new("s:train:0".into(), 1, data, Loss::cross_entropy());
/// let pieces = proto::encode_pieces(&pass, 0..3)?;
/// assert_eq!(pieces.concat(), proto::encode_request(&pass)?);
/// # Ok::<(), tinker_types::InvalidValue>(())
/// ```
///
/// # Errors
/// As for [`encode_request`]. The place of a datum is its index in the part.
///
/// # Panics
/// The range lies outside of the data.
pub fn encode_pieces(
    request: &ForwardBackward,
    part: Range<usize>,
) -> Result<Vec<Bytes>, InvalidValue> {
    let data = &request.data[part];
    let arrays = |datum: &Datum| datum.model_input.chunks.len() + datum.loss_fn_inputs.len();
    let mut pieces = Pieces::new(data.iter().map(arrays).sum());
    // The fields are those of one message, in its order.
    pieces.put_message(&wire::ForwardBackwardRequest {
        model_id: request.model_id.to_string(),
        seq_id: sequence_number(request)?,
        ..Default::default()
    });
    each::<_, _, ()>(data, "data", |datum| {
        let chunks = &datum.model_input.chunks;
        each::<_, _, ()>(chunks, "model_input.chunks", Chunk::check_trainable)?;
        if !datum::put(DATA, datum, &mut pieces) {
            prost::encoding::message::encode(DATA, &encode_datum(datum)?, &mut pieces);
        }
        Ok(())
    })?;
    pieces.put_message(&settings(request));
    Ok(pieces.finish())
}

/// The sequence number as it travels.
fn sequence_number(request: &ForwardBackward) -> Result<i32, InvalidValue> {
    let refuse =
        |_| InvalidValue::new("seq_id", format!("{} does not fit 32 bits", request.seq_id));
    i32::try_from(request.seq_id).map_err(refuse)
}

/// The fields behind the data.
fn settings(request: &ForwardBackward) -> wire::ForwardBackwardRequest {
    let config = &request.loss.config;
    wire::ForwardBackwardRequest {
        loss_fn: request.loss.name.as_str().to_owned(),
        loss_fn_config: config
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), number(value)?)))
            .collect(),
        forward_only: request.forward_only,
        loss_fn_config_v2: config
            .iter()
            .map(|(key, value)| (key.clone(), encode_value(value)))
            .collect(),
        ..Default::default()
    }
}

/// Decodes the body of a training request.
///
/// # Errors
/// The bytes are not such a message, or a value is invalid; the error names its place.
pub fn decode_request(body: Bytes) -> Result<ForwardBackward, InvalidValue> {
    let message = wire::ForwardBackwardRequest::decode(body)
        .map_err(|e| InvalidValue::new("", e.to_string()))?;
    let seq_id = u64::try_from(message.seq_id)
        .map_err(|_| InvalidValue::new("seq_id", format!("{} is negative", message.seq_id)))?;
    let data: Vec<_> = each(message.data, "data", decode_datum)?;
    let mut loss = Loss::new(LossFn::from_name(&message.loss_fn));
    // Older clients fill only the map of numbers.
    loss.config = message
        .loss_fn_config
        .into_iter()
        .map(|(key, n)| (key, LossValue::Number(n)))
        .collect();
    for (key, value) in message.loss_fn_config_v2 {
        let value = match value.value {
            Some(WireValue::Number(number)) => LossValue::Number(number),
            Some(WireValue::Text(text)) => LossValue::Text(text),
            None => {
                return Err(InvalidValue::new(
                    format!("loss_fn_config_v2.{key}"),
                    "has no value",
                ));
            }
        };
        loss.config.insert(key, value);
    }
    Ok(
        ForwardBackward::new(message.model_id.into(), seq_id, data, loss)
            .with_forward_only(message.forward_only),
    )
}

fn number(value: &LossValue) -> Option<f64> {
    match value {
        LossValue::Number(number) => Some(*number),
        LossValue::Text(_) => None,
    }
}

fn encode_value(value: &LossValue) -> wire::LossConfigValue {
    let value = match value {
        LossValue::Number(number) => WireValue::Number(*number),
        LossValue::Text(text) => WireValue::Text(text.clone()),
    };
    wire::LossConfigValue { value: Some(value) }
}

fn encode_datum(datum: &Datum) -> Result<wire::Datum, InvalidValue> {
    let chunks = &datum.model_input.chunks;
    let inputs = datum.loss_fn_inputs.iter();
    Ok(wire::Datum {
        model_input: each(chunks, "model_input.chunks", encode_chunk)?,
        loss_fn_inputs: inputs
            .map(|(name, input)| (name.clone(), tensor::encode(input)))
            .collect(),
        model_input_spans: datum.model_input_spans.iter().map(encode_span).collect(),
        loss_fn_input_spans: datum.loss_fn_input_spans.iter().map(encode_span).collect(),
    })
}

fn decode_datum(datum: wire::Datum) -> Result<Datum, InvalidValue> {
    let chunks = each(datum.model_input, "model_input.chunks", decode_chunk)?;
    let mut decoded = Datum::new(ModelInput::new(chunks));
    for (name, input) in datum.loss_fn_inputs {
        let input =
            tensor::decode(input).map_err(|e| e.within(format!("loss_fn_inputs.{name}")))?;
        decoded.loss_fn_inputs.insert(name, input);
    }
    decoded.model_input_spans = each(datum.model_input_spans, "model_input_spans", decode_span)?;
    decoded.loss_fn_input_spans = each(
        datum.loss_fn_input_spans,
        "loss_fn_input_spans",
        decode_span,
    )?;
    Ok(decoded)
}

fn encode_chunk(chunk: &Chunk) -> Result<wire::Chunk, InvalidValue> {
    chunk.check_trainable()?;
    let chunk = match chunk {
        Chunk::Text(text) => Some(WireChunk::EncodedText(wire::EncodedTextChunk {
            tokens: share(&text.tokens),
        })),
        Chunk::Image(image) => Some(WireChunk::Image(wire::ImageChunk {
            data: Bytes::copy_from_slice(&image.data),
            format: image.format.as_str().to_owned(),
            expected_tokens: image.expected_tokens.map(|n| n as i32),
            override_dimensions: None,
        })),
        Chunk::Dmel(audio) => Some(WireChunk::Dmel(wire::DmelChunk {
            dmel: Bytes::copy_from_slice(&audio.dmel),
        })),
        // Refused by the check.
        Chunk::ImagePointer(_) | Chunk::Unknown { .. } => None,
    };
    Ok(wire::Chunk { chunk })
}

fn decode_chunk(chunk: wire::Chunk) -> Result<Chunk, InvalidValue> {
    match chunk.chunk {
        None => Err(InvalidValue::new("", "has an unknown kind")),
        Some(WireChunk::EncodedText(text)) => {
            let tokens: Arc<[u32]> = read(&text.tokens)?;
            match tokens.iter().position(|&token| token > i32::MAX as u32) {
                Some(at) => Err(InvalidValue::new(
                    format!("tokens[{at}]"),
                    format!("{} is negative", tokens[at] as i32),
                )),
                None => Ok(Chunk::text(tokens)),
            }
        }
        Some(WireChunk::Image(image)) => {
            let format = match image.format.as_str() {
                "png" => ImageFormat::Png,
                "jpeg" => ImageFormat::Jpeg,
                other => {
                    return Err(InvalidValue::new(
                        "format",
                        format!("{other:?} is neither png nor jpeg"),
                    ));
                }
            };
            let expected_tokens = image.expected_tokens.map(u32::try_from).transpose();
            let expected_tokens =
                expected_tokens.map_err(|_| InvalidValue::new("expected_tokens", "is negative"))?;
            Ok(Chunk::Image(Image {
                data: image.data.into(),
                format,
                expected_tokens,
            }))
        }
        Some(WireChunk::Dmel(audio)) => Ok(Chunk::Dmel(Dmel {
            dmel: audio.dmel.into(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TensorData;
    use proptest::prelude::*;

    #[test]
    fn the_documented_body_has_its_documented_size() {
        let datum = Datum::supervised(&[1, 2], &[3, 4]);
        let request = ForwardBackward::new(
            "sess-0001:train:0".into(),
            1,
            vec![datum],
            Loss::cross_entropy(),
        );
        let body = encode_request(&request).unwrap();
        assert_eq!(body.len(), 138);
        assert_eq!(decode_request(body).unwrap(), request);
    }

    #[test]
    fn large_arrays_of_a_part_are_shared() {
        let ids: Vec<u32> = (0..3000).collect();
        let mut data = vec![Datum::supervised(&ids[..1], &ids[1..]); 3];
        data[1] = Datum::supervised(&[1, 2], &[3, 4]);
        let request = ForwardBackward::new("m".into(), 1, data, Loss::cross_entropy());
        let pieces = encode_pieces(&request, 0..2).unwrap();
        let arrays = |values: &[i64]| bytemuck::cast_slice::<_, u8>(values).as_ptr();
        let targets = &request.data[0].loss_fn_inputs["target_tokens"];
        let shared = arrays(targets.as_i64().unwrap());
        assert!(pieces.iter().any(|piece| piece.as_ptr() == shared));
        let part = ForwardBackward::new(
            "m".into(),
            1,
            request.data[..2].to_vec(),
            Loss::cross_entropy(),
        );
        assert_eq!(pieces.concat(), encode_request(&part).unwrap());
    }

    #[test]
    fn config_texts_stay_in_the_newer_map() {
        let loss = Loss::ppo().with_clip(0.8, 1.2).with("loss_id", "x");
        let request = ForwardBackward::new("m".into(), 1, vec![Datum::default()], loss);
        let body = encode_request(&request).unwrap();
        let message = wire::ForwardBackwardRequest::decode(body.clone()).unwrap();
        assert_eq!(
            (
                message.loss_fn_config.len(),
                message.loss_fn_config_v2.len()
            ),
            (2, 3)
        );
        assert_eq!(decode_request(body).unwrap(), request);
    }

    #[test]
    fn constants_of_an_older_client_are_read() {
        let old = wire::ForwardBackwardRequest {
            model_id: "m".into(),
            seq_id: 1,
            loss_fn: "ppo".into(),
            loss_fn_config: [("clip_low_threshold".to_owned(), 0.5)].into(),
            ..Default::default()
        };
        let read = |message: &wire::ForwardBackwardRequest| {
            decode_request(message.encode_to_vec().into()).unwrap().loss
        };
        assert_eq!(read(&old), Loss::ppo().with("clip_low_threshold", 0.5));
        // Where both maps have constants, the newer one counts.
        let newer = Loss::ppo().with("clip_low_threshold", 0.8).with("x", "y");
        let request = ForwardBackward::new("m".into(), 1, vec![Datum::default()], newer.clone());
        let mut both =
            wire::ForwardBackwardRequest::decode(encode_request(&request).unwrap()).unwrap();
        both.loss_fn_config
            .insert("clip_low_threshold".to_owned(), 0.1);
        assert_eq!(read(&both), newer);
    }

    #[test]
    fn every_chunk_that_can_be_sent_survives() {
        let image = crate::Image {
            data: vec![0, 255, 7],
            format: crate::ImageFormat::Jpeg,
            expected_tokens: Some(4),
        };
        let audio = crate::Dmel {
            dmel: vec![1, 2, 254],
        };
        let text = crate::Chunk::text([]);
        let chunks = vec![text, crate::Chunk::Image(image), crate::Chunk::Dmel(audio)];
        let datum = Datum::new(ModelInput::new(chunks));
        let request = ForwardBackward::new("m".into(), 1, vec![datum], Loss::cross_entropy());
        let body = encode_request(&request).unwrap();
        assert!(
            body.windows(3).any(|bytes| bytes == [0, 255, 7]),
            "raw bytes"
        );
        assert_eq!(decode_request(body).unwrap(), request);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_request(bytes.into());
        }

        #[test]
        fn requests_survive(
            tokens in proptest::collection::vec(0..1_000_000_u32, 0..20),
            floats in proptest::collection::vec(any::<f32>().prop_filter("finite", |f| f.is_finite()), 0..20),
            forward_only: bool,
            is_sparse: bool,
        ) {
            let sparse = TensorData::csr(crate::Elements::Int64([5].into()), [0, 0, 1], [2], [2, 3]).unwrap();
            let mut datum = Datum::new(ModelInput::from_tokens(tokens)).with_input("weights", floats);
            if is_sparse {
                datum = datum.with_input("target_tokens", sparse);
            }
            let request = ForwardBackward::new("m".into(), 7, vec![datum; 2], Loss::cross_entropy())
                .with_forward_only(forward_only);
            let body = encode_request(&request).unwrap();
            let pieces = encode_pieces(&request, 0..2).unwrap();
            prop_assert_eq!(&pieces.concat(), &body);
            prop_assert_eq!(decode_request(body).unwrap(), request.clone());
            let json = serde_json::to_string(&request).unwrap();
            prop_assert_eq!(serde_json::from_str::<ForwardBackward>(&json).unwrap(), request);
        }
    }
}
