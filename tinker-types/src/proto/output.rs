//! Results of training passes: one ragged array for each field.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use super::array::{copy, read};
use super::generated as wire;
use super::tensor;
use crate::data::cells;
use crate::error::each;
use crate::{ForwardBackwardOutput, InvalidValue, TensorData};

type Outputs = BTreeMap<String, TensorData>;

/// Encodes the result of a training pass. A new record starts whenever the fields of the datums change.
pub fn encode_output(output: &ForwardBackwardOutput) -> Bytes {
    let mut records = Vec::new();
    let mut rest = &output.loss_fn_outputs[..];
    while let Some(first) = rest.first() {
        let layout = layout(first);
        let run = rest
            .iter()
            .take_while(|datum| self::layout(datum) == layout)
            .count();
        records.push(encode_record(&rest[..run]));
        rest = &rest[run..];
    }
    let message = wire::ForwardBackwardOutput {
        loss_fn_output_type: output.loss_fn_output_type.clone(),
        loss_fn_outputs: records,
        metrics: output.metrics.clone(),
    };
    message.encode_to_vec().into()
}

/// Names, element types and row shapes of one datum's fields.
fn layout(datum: &Outputs) -> Vec<(&str, crate::DType, &[usize])> {
    datum
        .iter()
        .map(|(name, field)| (name.as_str(), field.dtype(), row_shape(field)))
        .collect()
}

fn row_shape(field: &TensorData) -> &[usize] {
    field
        .shape()
        .and_then(|shape| shape.get(1..))
        .unwrap_or_default()
}

fn encode_record(data: &[Outputs]) -> wire::ArrayRecord {
    let names = data.first().into_iter().flat_map(BTreeMap::keys);
    let field = |name: &String| {
        let tensors: Vec<TensorData> = data.iter().map(|datum| datum[name].to_dense()).collect();
        let mut bytes = BytesMut::with_capacity(tensors.iter().map(TensorData::wire_bytes).sum());
        let mut offsets = vec![0_i64];
        for tensor in &tensors {
            bytes.put(tensor::bytes_of(tensor.elements()));
            offsets.push(bytes.len() as i64);
        }
        wire::BatchedTensor {
            data: bytes.freeze(),
            offsets: copy(&offsets),
            dtype: tensor::wire_type(tensors[0].elements()).into(),
            trailing_shape: row_shape(&tensors[0]).iter().map(|&n| n as i64).collect(),
        }
    };
    wire::ArrayRecord {
        type_tag: "ArrayRecord".to_owned(),
        fields: names.map(|name| (name.clone(), field(name))).collect(),
        num_datums: data.len() as i64,
    }
}

/// Decodes the result of a training pass.
///
/// # Errors
/// The bytes are not such a message, or offsets point outside of the data.
pub fn decode_output(body: Bytes) -> Result<ForwardBackwardOutput, InvalidValue> {
    let message = wire::ForwardBackwardOutput::decode(body)
        .map_err(|e| InvalidValue::new("", e.to_string()))?;
    let kind = message.loss_fn_output_type;
    let kind = match (kind.as_str(), message.loss_fn_outputs.is_empty()) {
        ("", true) => "ArrayRecord".to_owned(),
        (_, true) => kind,
        _ => kind.rsplit(':').next().unwrap_or_default().to_owned(),
    };
    let records: Vec<_> = each(message.loss_fn_outputs, "loss_fn_outputs", decode_record)?;
    Ok(ForwardBackwardOutput {
        loss_fn_output_type: kind,
        loss_fn_outputs: records.into_iter().flatten().collect(),
        metrics: message.metrics,
    })
}

fn decode_record(record: wire::ArrayRecord) -> Result<Vec<Outputs>, InvalidValue> {
    let counted = usize::try_from(record.num_datums).map_err(|_| {
        InvalidValue::new("num_datums", format!("{} is negative", record.num_datums))
    })?;
    // Every field bounds the count by its own bytes, so a wrong count cannot cause a large allocation.
    let mut data: Vec<Outputs> = Vec::new();
    for (name, field) in record.fields {
        let rows = split(&field).map_err(|e| e.within(format!("fields.{name}")))?;
        if counted != 0 && rows.len() != counted {
            let why = format!("holds {} datums, the record {counted}", rows.len());
            return Err(InvalidValue::new(format!("fields.{name}"), why));
        }
        if data.is_empty() {
            data.resize_with(rows.len(), Outputs::new);
        }
        for (datum, row) in data.iter_mut().zip(rows) {
            datum.insert(name.clone(), row);
        }
    }
    if data.is_empty() {
        const MOST: usize = 1 << 20;
        if counted > MOST {
            return Err(InvalidValue::new(
                "num_datums",
                format!("{counted} datums without any field"),
            ));
        }
        data.resize_with(counted, Outputs::new);
    }
    Ok(data)
}

/// One tensor for each datum.
fn split(field: &wire::BatchedTensor) -> Result<Vec<TensorData>, InvalidValue> {
    let row_shape = tensor::dimensions(&field.trailing_shape)?;
    let row = cells(&row_shape)?;
    let offsets: Vec<i64> = read(&field.offsets).map_err(|e| e.within("offsets"))?;
    let mut rows = Vec::with_capacity(offsets.len().saturating_sub(1));
    for pair in offsets.windows(2) {
        let range = usize::try_from(pair[0])
            .ok()
            .zip(usize::try_from(pair[1]).ok());
        let bytes = range
            .and_then(|(from, to)| field.data.get(from..to))
            .ok_or_else(|| {
                InvalidValue::new(
                    "offsets",
                    format!(
                        "{}..{} lies outside {} bytes",
                        pair[0],
                        pair[1],
                        field.data.len()
                    ),
                )
            })?;
        let elements = tensor::elements(bytes, field.dtype)?;
        let mut shape = vec![elements.len().checked_div(row).unwrap_or(0)];
        shape.extend(&row_shape);
        rows.push(TensorData::dense(elements).with_shape(shape)?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datum(logprobs: &[f32]) -> Outputs {
        BTreeMap::from([("logprobs".to_owned(), logprobs.to_vec().into())])
    }

    #[test]
    fn a_change_of_layout_starts_a_record() {
        let mut second = datum(&[-2.0]);
        second.insert(
            "extra".into(),
            TensorData::from(vec![1_i64, 2]).with_shape([1, 2]).unwrap(),
        );
        let mut output = ForwardBackwardOutput {
            loss_fn_output_type: "ArrayRecord".into(),
            ..Default::default()
        };
        output.loss_fn_outputs = vec![datum(&[-0.5, -1.0]), datum(&[]), second];
        output.metrics.insert("loss:sum".into(), 2.25);
        let body = encode_output(&output);
        let message = wire::ForwardBackwardOutput::decode(body.clone()).unwrap();
        assert_eq!(message.loss_fn_outputs.len(), 2);
        assert_eq!(decode_output(body).unwrap(), output);
    }

    #[test]
    fn narrow_types_widen() {
        let field = wire::BatchedTensor {
            data: copy(&[0x3f80_u16, 0xc000]),
            offsets: copy(&[0_i64, 4]),
            dtype: wire::DType::DtypeBfloat16.into(),
            trailing_shape: vec![],
        };
        assert_eq!(split(&field).unwrap()[0].as_f32().unwrap(), [1.0, -2.0]);
    }

    #[test]
    fn output_types_are_cut_at_the_last_colon() {
        for (kind, has_outputs, read) in [
            ("a:b:Kind", true, "Kind"),
            ("Kind", true, "Kind"),
            ("a:b", false, "a:b"),
            ("", false, "ArrayRecord"),
        ] {
            let mut output = ForwardBackwardOutput {
                loss_fn_output_type: kind.into(),
                ..Default::default()
            };
            if has_outputs {
                output.loss_fn_outputs.push(datum(&[-1.0]));
            }
            let decoded = decode_output(encode_output(&output)).unwrap();
            assert_eq!(decoded.loss_fn_output_type, read, "{kind}");
        }
    }

    #[test]
    fn offsets_outside_of_the_data_are_errors() {
        let record = |offsets: &[i64], num_datums| {
            let field = wire::BatchedTensor {
                data: copy(&[1.0_f32, 2.0]),
                offsets: copy(offsets),
                dtype: wire::DType::DtypeFloat32.into(),
                trailing_shape: vec![],
            };
            decode_record(wire::ArrayRecord {
                type_tag: String::new(),
                fields: [("a".to_owned(), field)].into(),
                num_datums,
            })
        };
        assert_eq!(record(&[0, 4, 8], 2).unwrap().len(), 2);
        for (offsets, num_datums) in [
            (&[0_i64, 12][..], 1),
            (&[8, 0], 1),
            (&[-4, 4], 1),
            (&[0, 3], 1),
            (&[0, 4, 8], 3),
            (&[0, 8], -1),
        ] {
            assert!(record(offsets, num_datums).is_err(), "{offsets:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_output(bytes.into());
        }
    }
}
