//! Datums of text and dense arrays, written without messages: those would take a dozen allocations for each datum.

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::pieces::Pieces;
use super::tensor::wire_type;
use crate::{Chunk, Datum, Elements, TensorData};

/// Tags of the fields, in `proto/tinker_public.proto`.
mod tag {
    pub(super) const DATUM_CHUNK: u32 = 1;
    pub(super) const DATUM_INPUT: u32 = 2;
    pub(super) const ENTRY_KEY: u32 = 1;
    pub(super) const ENTRY_VALUE: u32 = 2;
    pub(super) const CHUNK_TEXT: u32 = 1;
    pub(super) const TEXT_TOKENS: u32 = 1;
    pub(super) const TENSOR_DENSE: u32 = 1;
    pub(super) const TENSOR_TYPE: u32 = 3;
    pub(super) const TENSOR_SHAPE: u32 = 4;
}

/// Writes a datum as a field. Returns false, and writes nothing, if it holds more than text and dense arrays.
pub(super) fn put(field: u32, datum: &Datum, out: &mut Pieces) -> bool {
    let chunks = &datum.model_input.chunks;
    let is_text = |chunk: &Chunk| matches!(chunk, Chunk::Text(_));
    let mut inputs = datum.loss_fn_inputs.values();
    let has_spans = !datum.model_input_spans.is_empty() || !datum.loss_fn_input_spans.is_empty();
    if has_spans || !chunks.iter().all(is_text) || inputs.any(TensorData::is_sparse) {
        return false;
    }
    let inputs = || datum.loss_fn_inputs.iter();
    let chunks_length: usize = chunks
        .iter()
        .map(|chunk| {
            length(
                tag::DATUM_CHUNK,
                length(tag::CHUNK_TEXT, text_length(chunk)),
            )
        })
        .sum();
    let inputs_length: usize = inputs()
        .map(|(name, tensor)| length(tag::DATUM_INPUT, entry_length(name, tensor)))
        .sum();
    head(field, chunks_length + inputs_length, out);
    for chunk in chunks {
        let text = text_length(chunk);
        head(tag::DATUM_CHUNK, length(tag::CHUNK_TEXT, text), out);
        head(tag::CHUNK_TEXT, text, out);
        if let Chunk::Text(text) = chunk
            && !text.tokens.is_empty()
        {
            head(tag::TEXT_TOKENS, size_of_val(&*text.tokens), out);
            out.put_array(&text.tokens);
        }
    }
    for (name, tensor) in inputs() {
        head(tag::DATUM_INPUT, entry_length(name, tensor), out);
        if !name.is_empty() {
            head(tag::ENTRY_KEY, name.len(), out);
            out.put_bytes(name.as_bytes());
        }
        head(tag::ENTRY_VALUE, tensor_length(tensor), out);
        put_tensor(tensor, out);
    }
    true
}

fn put_tensor(tensor: &TensorData, out: &mut Pieces) {
    let elements = tensor.elements();
    head(tag::TENSOR_DENSE, bytes(elements), out);
    match elements {
        Elements::Int64(values) => out.put_array(values),
        Elements::Float32(values) => out.put_array(values),
    }
    encode_key(tag::TENSOR_TYPE, WireType::Varint, out);
    encode_varint(wire_type(elements) as u64, out);
    let shape = tensor.shape().unwrap_or_default();
    if !shape.is_empty() {
        head(tag::TENSOR_SHAPE, shape_length(shape), out);
        for &dimension in shape {
            encode_varint(dimension as u64, out);
        }
    }
}

/// Key and length of a field that is a message, bytes or a packed list.
fn head(field: u32, length: usize, out: &mut Pieces) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

/// Length of such a field with its head.
fn length(field: u32, content: usize) -> usize {
    key_len(field) + encoded_len_varint(content as u64) + content
}

fn text_length(chunk: &Chunk) -> usize {
    match chunk {
        Chunk::Text(text) if !text.tokens.is_empty() => {
            length(tag::TEXT_TOKENS, size_of_val(&*text.tokens))
        }
        _ => 0,
    }
}

fn entry_length(name: &str, tensor: &TensorData) -> usize {
    let key = if name.is_empty() {
        0
    } else {
        length(tag::ENTRY_KEY, name.len())
    };
    key + length(tag::ENTRY_VALUE, tensor_length(tensor))
}

fn tensor_length(tensor: &TensorData) -> usize {
    let elements = tensor.elements();
    let dtype = key_len(tag::TENSOR_TYPE) + encoded_len_varint(wire_type(elements) as u64);
    let shape = match tensor.shape().unwrap_or_default() {
        [] => 0,
        shape => length(tag::TENSOR_SHAPE, shape_length(shape)),
    };
    length(tag::TENSOR_DENSE, bytes(elements)) + dtype + shape
}

fn shape_length(shape: &[usize]) -> usize {
    let dimensions = shape.iter();
    dimensions
        .map(|&dimension| encoded_len_varint(dimension as u64))
        .sum()
}

fn bytes(elements: &Elements) -> usize {
    match elements {
        Elements::Int64(values) => size_of_val(&**values),
        Elements::Float32(values) => size_of_val(&**values),
    }
}
