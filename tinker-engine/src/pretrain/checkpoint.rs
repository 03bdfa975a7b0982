//! Checkpoints of pretraining: weights and optimizer state as one safetensors file.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors};

use crate::adapter::AdamW;
use crate::backend::BackendError;
use crate::model::{Blob, ModelConfig, TensorFile, Weights, not_a_file, write_tensors};

/// Prefixes of the moments' names.
const FIRST: &str = "optimizer.first.";
const SECOND: &str = "optimizer.second.";

impl Weights {
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
                let name = format!("{prefix}{}", slot.name);
                (name, Blob::new(slot, Dtype::F32, bytes))
            })
        });
        let step = ("step".to_owned(), optimizer.step.to_string());
        write_tensors(blobs.collect(), Some(HashMap::from([step])))
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
