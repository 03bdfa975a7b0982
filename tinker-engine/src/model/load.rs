//! Loads a packed model from a tensor source, one tensor at a time: the whole file is never in memory in f32.

use super::config::ModelConfig;
use super::layout::Layout;
use super::packed::{Linear, Model};
use super::tensors::TensorSource;
use crate::backend::BackendError;
use crate::kernels::{Packed, Stored};
use crate::threads::ThreadPool;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

impl Model {
    /// Packs tensors for both directions, on all threads of the pool. Weights that are bf16 or f16 in the file stay so:
    /// 2 bytes for each direction. (On a processor without vector instructions that widen f16, it takes 4.) Besides, one
    /// weight for each thread is in memory while it loads.
    ///
    /// # Errors
    /// The first error of a tensor.
    pub(crate) fn from_tensors(
        config: ModelConfig,
        tensors: &dyn TensorSource,
        pool: &ThreadPool,
    ) -> Result<Self, BackendError> {
        let layout = Layout::new(&config);
        let mut model = Self::empty(config, layout.clone());
        let vector = |at: &Range<usize>| read(tensors, &layout, at);
        let optional = |at: &Option<Range<usize>>| at.as_ref().map(vector).transpose();
        for (block, slots) in model.blocks.iter_mut().zip(&layout.blocks) {
            block.input_norm = vector(&slots.input_norm)?;
            block.q_norm = optional(&slots.q_norm)?;
            block.k_norm = optional(&slots.k_norm)?;
            block.post_norm = vector(&slots.post_norm)?;
        }
        model.norm = vector(&layout.norm)?;
        if layout.embed != layout.head {
            let d = model.config.hidden_size;
            let embed = parts(tensors, &layout, &layout.embed)?;
            model.embed = Some(Packed::from_stored(&embed, d, false));
            release(tensors, &layout, &layout.embed);
        }

        // Each projection, with the places of its weight and bias.
        let mut projections = vec![(&mut model.head, &layout.head, None)];
        for (block, slots) in model.blocks.iter_mut().zip(&layout.blocks) {
            projections.extend([
                (&mut block.qkv, &slots.qkv, slots.qkv_bias.as_ref()),
                (&mut block.o, &slots.o, slots.o_bias.as_ref()),
                (&mut block.gate_up, &slots.gate_up, None),
                (&mut block.down, &slots.down, None),
            ]);
        }
        let failed = Mutex::new(None);
        pool.each(projections, |_, (linear, weight, bias)| {
            if let Err(e) = linear.load(tensors, &layout, weight, bias) {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(e);
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(e) => Err(e),
            None => Ok(model),
        }
    }
}

impl Linear {
    fn load(
        &mut self,
        tensors: &dyn TensorSource,
        layout: &Layout,
        weight: &Range<usize>,
        bias: Option<&Range<usize>>,
    ) -> Result<(), BackendError> {
        let stored = parts(tensors, layout, weight)?;
        let width = stored.first().map_or(0, |part| part.width);
        self.forward = Packed::from_stored(&stored, width, true);
        self.backward = Packed::from_stored(&stored, width, false);
        release(tensors, layout, weight);
        self.bias = bias.map(|at| read(tensors, layout, at)).transpose()?;
        Ok(())
    }
}

fn parts<'a>(
    tensors: &'a dyn TensorSource,
    layout: &Layout,
    at: &Range<usize>,
) -> Result<Vec<Stored<'a>>, BackendError> {
    let slots = layout.slots(at).iter();
    slots.map(|slot| tensors.tensor(slot)).collect()
}

fn release(tensors: &dyn TensorSource, layout: &Layout, at: &Range<usize>) {
    for slot in layout.slots(at) {
        tensors.release(slot);
    }
}

/// Consecutive vectors, in f32.
fn read(
    tensors: &dyn TensorSource,
    layout: &Layout,
    at: &Range<usize>,
) -> Result<Vec<f32>, BackendError> {
    let mut all = vec![0.0; at.len()];
    for slot in layout.slots(at) {
        let into = &mut all[slot.at.start - at.start..slot.at.end - at.start];
        tensors.tensor(slot)?.widen(into);
        tensors.release(slot);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
