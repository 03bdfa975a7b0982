//! Tensors.

use std::sync::Arc;

use bytes::Bytes;

use super::array::{read, share};
use super::generated::tensor::Encoding;
use super::generated::{self as wire, DType as WireType};
use crate::{Elements, InvalidValue, TensorData};

pub(super) fn wire_type(elements: &Elements) -> WireType {
    match elements {
        Elements::Int64(_) => WireType::DtypeInt64,
        Elements::Float32(_) => WireType::DtypeFloat32,
    }
}

pub(super) fn bytes_of(elements: &Elements) -> Bytes {
    match elements {
        Elements::Int64(values) => share(values),
        Elements::Float32(values) => share(values),
    }
}

/// Elements of any wire type: 32-bit integers widen to 64 bits, bfloat16 to float32, both exactly.
pub(super) fn elements(bytes: &[u8], dtype: i32) -> Result<Elements, InvalidValue> {
    match WireType::try_from(dtype) {
        Ok(WireType::DtypeFloat32) => Ok(Elements::Float32(read(bytes)?)),
        Ok(WireType::DtypeInt64) => Ok(Elements::Int64(read(bytes)?)),
        Ok(WireType::DtypeInt32) => Ok(Elements::Int64(
            read::<i32, Vec<_>>(bytes)?
                .into_iter()
                .map(i64::from)
                .collect(),
        )),
        Ok(WireType::DtypeBfloat16) => {
            let widen = |half: u16| f32::from_bits(u32::from(half) << 16);
            Ok(Elements::Float32(
                read::<u16, Vec<_>>(bytes)?.into_iter().map(widen).collect(),
            ))
        }
        Ok(WireType::DtypeUnspecified) | Err(_) => Err(InvalidValue::new(
            "dtype",
            format!("{dtype} is not a known element type"),
        )),
    }
}

pub(super) fn encode(tensor: &TensorData) -> wire::Tensor {
    let elements = tensor.elements();
    let values = bytes_of(elements);
    let encoding = match tensor.csr_parts() {
        None => Encoding::Dense(values),
        Some(csr) => Encoding::SparseCsr(wire::SparseCsr {
            values,
            crow_indices: share(&csr.rows),
            col_indices: share(&csr.columns),
        }),
    };
    let shape = tensor
        .shape()
        .unwrap_or_default()
        .iter()
        .map(|&n| n as i64)
        .collect();
    wire::Tensor {
        dtype: wire_type(elements).into(),
        shape,
        encoding: Some(encoding),
    }
}

pub(super) fn decode(tensor: wire::Tensor) -> Result<TensorData, InvalidValue> {
    let shape = dimensions(&tensor.shape)?;
    let bytes = match tensor.encoding {
        Some(Encoding::SparseCsr(csr)) => {
            let shape = <[usize; 2]>::try_from(shape).map_err(|shape| {
                InvalidValue::new("shape", format!("{shape:?} of a sparse tensor is not 2-D"))
            })?;
            let rows: Arc<[i64]> = read(&csr.crow_indices)?;
            let columns: Arc<[i64]> = read(&csr.col_indices)?;
            return TensorData::csr(elements(&csr.values, tensor.dtype)?, rows, columns, shape);
        }
        Some(Encoding::Dense(bytes)) => bytes,
        None => Bytes::new(),
    };
    let dense = TensorData::dense(elements(&bytes, tensor.dtype)?);
    if shape.is_empty() {
        Ok(dense)
    } else {
        dense.with_shape(shape)
    }
}

pub(super) fn dimensions(shape: &[i64]) -> Result<Vec<usize>, InvalidValue> {
    let dimension = |&n: &i64| {
        usize::try_from(n)
            .map_err(|_| InvalidValue::new("shape", format!("{shape:?} has a negative dimension")))
    };
    shape.iter().map(dimension).collect()
}
