//! The weights of a model as plain numbers, and their file.

use std::borrow::Cow;
use std::collections::HashMap;

use half::f16;
use safetensors::{Dtype, SafeTensors, View};

use super::config::ModelConfig;
use super::kernels::{Kind, Stored};
use super::layout::{Layout, Slot};
use super::optimizer::AdamW;
use super::random::Random;
use super::tensors::Tensors;
use crate::backend::BackendError;

/// All weights of a model in one array, in the order of its [`Layout`].
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    pub(crate) layout: Layout,
    pub(crate) data: Vec<f32>,
}

impl Weights {
    /// Small random weights: what a model is before pretraining.
    pub(crate) fn random(config: &ModelConfig, seed: u64) -> Self {
        let layout = Layout::new(config);
        let mut data = vec![0.0; layout.table.len];
        // Projections back into the residual stream start smaller, as there are two in each block.
        let depth = (2.0 * config.num_hidden_layers as f64).sqrt();
        for (i, slot) in layout.table.slots.iter().enumerate() {
            let mut random = Random::new(seed, i as u64);
            let values = &mut data[slot.at.clone()];
            if slot.shape.len() == 1 {
                values.fill(if slot.name.ends_with("bias") {
                    0.0
                } else {
                    1.0
                });
                continue;
            }
            let deviation = if slot.name.contains("embed_tokens") || slot.name.contains("lm_head") {
                0.02
            } else if slot.name.contains("o_proj") || slot.name.contains("down_proj") {
                0.5 / (slot.shape[1] as f64).sqrt() / depth
            } else {
                0.5 / (slot.shape[1] as f64).sqrt()
            };
            values.fill_with(|| random.normal(deviation));
        }
        Self { layout, data }
    }

    /// Reads a safetensors file with f32, f16 or bf16 tensors. Every tensor of the layout must be
    /// there in its shape; others are ignored.
    pub(crate) fn from_safetensors(
        config: &ModelConfig,
        bytes: &[u8],
    ) -> Result<Self, BackendError> {
        let layout = Layout::new(config);
        let file = TensorFile::new(bytes)?;
        let mut data = vec![0.0; layout.table.len];
        for slot in &layout.table.slots {
            file.find("", slot)?.widen(&mut data[slot.at.clone()]);
        }
        Ok(Self { layout, data })
    }

    /// A safetensors file with f16 tensors.
    pub(crate) fn to_f16_safetensors(&self) -> Result<Vec<u8>, BackendError> {
        let blobs = self.layout.table.slots.iter().map(|slot| {
            let bytes = self.data[slot.at.clone()]
                .iter()
                .flat_map(|x| f16::from_f32(*x).to_le_bytes())
                .collect();
            (
                slot.name.clone(),
                Blob {
                    dtype: Dtype::F16,
                    shape: slot.shape.clone(),
                    bytes,
                },
            )
        });
        write(blobs.collect(), None)
    }

    /// A safetensors file with f32 tensors and the optimizer's moments beside them.
    pub(crate) fn to_checkpoint(&self, optimizer: &AdamW) -> Result<Vec<u8>, BackendError> {
        let parts = [
            ("", &self.data),
            (FIRST, &optimizer.first),
            (SECOND, &optimizer.second),
        ];
        let slots = &self.layout.table.slots;
        let blobs = parts.iter().flat_map(|(prefix, data)| {
            slots.iter().map(move |slot| {
                let bytes = data[slot.at.clone()]
                    .iter()
                    .flat_map(|x| x.to_le_bytes())
                    .collect();
                (
                    format!("{prefix}{}", slot.name),
                    Blob {
                        dtype: Dtype::F32,
                        shape: slot.shape.clone(),
                        bytes,
                    },
                )
            })
        });
        write(
            blobs.collect(),
            Some(HashMap::from([(
                "step".to_owned(),
                optimizer.step.to_string(),
            )])),
        )
    }

    /// Reads [`Weights::to_checkpoint`]'s file, or one without an optimizer.
    pub(crate) fn with_optimizer(
        config: &ModelConfig,
        bytes: &[u8],
    ) -> Result<(Self, Option<AdamW>), BackendError> {
        let weights = Self::from_safetensors(config, bytes)?;
        let file = TensorFile::new(bytes)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| not_a_file(&e))?;
        let step = metadata
            .metadata()
            .as_ref()
            .and_then(|m| m.get("step"))
            .and_then(|s| s.parse().ok());
        let Some(step) = step else {
            return Ok((weights, None));
        };
        let mut optimizer = AdamW::new(weights.data.len());
        optimizer.step = step;
        for slot in &weights.layout.table.slots {
            let (first, second) = (file.find(FIRST, slot)?, file.find(SECOND, slot)?);
            first.widen(&mut optimizer.first[slot.at.clone()]);
            second.widen(&mut optimizer.second[slot.at.clone()]);
        }
        Ok((weights, Some(optimizer)))
    }
}

/// A safetensors file in memory.
#[derive(Debug)]
pub(crate) struct TensorFile<'a>(SafeTensors<'a>);

impl<'a> TensorFile<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, BackendError> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| not_a_file(&e))?;
        Ok(Self(file))
    }

    fn find(&self, prefix: &str, slot: &Slot) -> Result<Stored<'a>, BackendError> {
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

impl Tensors for TensorFile<'_> {
    fn tensor(&self, slot: &Slot) -> Result<Stored<'_>, BackendError> {
        self.find("", slot)
    }
}

/// What the names of moments start with.
const FIRST: &str = "optimizer.first.";
const SECOND: &str = "optimizer.second.";

fn not_a_file(e: &safetensors::SafeTensorError) -> BackendError {
    BackendError::user(format!("the weights are not a safetensors file: {e}"))
}

/// The bytes of a tensor as numbers, if they are of a type that can be read.
pub(crate) fn stored<'a>(
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

/// A tensor on its way into a file.
struct Blob {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
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

fn write(
    blobs: Vec<(String, Blob)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, BackendError> {
    safetensors::serialize(blobs, metadata)
        .map_err(|e| BackendError::server(format!("writing safetensors: {e}")))
}
