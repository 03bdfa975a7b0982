//! Weights of a model as plain f32 numbers.

use half::f16;
use safetensors::Dtype;

use super::config::ModelConfig;
use super::layout::Layout;
use super::tensor_file::{Blob, TensorFile, write_tensors};
use crate::backend::BackendError;
use crate::random::Random;

/// All weights of a model in one array, in the order of its [`Layout`].
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    pub(crate) layout: Layout,
    pub(crate) data: Vec<f32>,
}

impl Weights {
    /// Small random weights, as before pretraining.
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

    /// Reads a safetensors file with f32, f16 or bf16 tensors. Every tensor of the layout must be present in its shape;
    /// others are ignored.
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
            (slot.name.clone(), Blob::new(slot, Dtype::F16, bytes))
        });
        write_tensors(blobs.collect(), None)
    }
}
