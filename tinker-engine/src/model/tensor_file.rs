//! Safetensors files in memory.

use std::borrow::Cow;
use std::collections::HashMap;

use safetensors::{Dtype, SafeTensorError, SafeTensors, View};

use super::layout::Slot;
use super::tensors::TensorSource;
use crate::backend::BackendError;
use crate::kernels::{Kind, Stored};

/// A safetensors file in memory.
#[derive(Debug)]
pub(crate) struct TensorFile<'a>(SafeTensors<'a>);

impl<'a> TensorFile<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, BackendError> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| not_a_file(&e))?;
        Ok(Self(file))
    }

    /// The tensor of a slot, whose name in the file starts with `prefix`.
    pub(crate) fn find(&self, prefix: &str, slot: &Slot) -> Result<Stored<'a>, BackendError> {
        let name = format!("{prefix}{}", slot.name);
        let tensor = self
            .0
            .tensor(&name)
            .map_err(|_| BackendError::user(format!("the weights file has no tensor {name}")))?;
        if tensor.shape() != slot.shape {
            let (has, wants) = (tensor.shape(), &slot.shape);
            return Err(BackendError::user(format!(
                "tensor {name} has shape {has:?}, the model needs {wants:?}"
            )));
        }
        stored(&name, tensor.dtype(), tensor.data(), slot)
    }
}

impl TensorSource for TensorFile<'_> {
    fn tensor(&self, slot: &Slot) -> Result<Stored<'_>, BackendError> {
        self.find("", slot)
    }
}

/// The error for bytes that are not a safetensors file.
pub(crate) fn not_a_file(e: &SafeTensorError) -> BackendError {
    BackendError::user(format!("the weights are not a safetensors file: {e}"))
}

/// The bytes of a tensor as numbers, if their type is supported.
fn stored<'a>(
    name: &str,
    dtype: Dtype,
    bytes: &'a [u8],
    slot: &Slot,
) -> Result<Stored<'a>, BackendError> {
    let kind = match dtype {
        Dtype::F32 => Kind::F32,
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::Bf16,
        _ => {
            return Err(BackendError::user(format!(
                "tensor {name} is {dtype:?}; f32, f16 and bf16 can be read"
            )));
        }
    };
    let width = slot.shape.last().copied().unwrap_or(1);
    Ok(Stored { kind, bytes, width })
}

/// A tensor to be written.
#[derive(Debug)]
pub(crate) struct Blob {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Blob {
    /// The tensor of a slot, in little-endian bytes.
    pub(crate) fn new(slot: &Slot, dtype: Dtype, bytes: Vec<u8>) -> Self {
        let shape = slot.shape.clone();
        Self {
            dtype,
            shape,
            bytes,
        }
    }
}

impl View for Blob {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// A safetensors file of these tensors, by name.
pub(crate) fn write_tensors(
    blobs: Vec<(String, Blob)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, BackendError> {
    safetensors::serialize(blobs, metadata)
        .map_err(|e| BackendError::server(format!("writing safetensors: {e}")))
}
