//! Adapters as plain data: shape, weights, optimizer state.

use std::sync::Arc;

/// Identifies a trainable adapter within one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AdapterId(pub u64);

/// Shape of a new adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterSpec {
    /// LoRA rank, at least 1.
    pub rank: usize,
    /// Seed of the initial `A` matrices (`B` starts at zero).
    pub seed: u64,
    /// Adapt the attention projections.
    pub attention: bool,
    /// Adapt the MLP projections.
    pub mlp: bool,
    /// Adapt the output head.
    pub unembed: bool,
}

/// Constants of one AdamW step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest global gradient norm; 0 disables clipping.
    pub grad_clip_norm: f64,
}

/// A tensor with the name it has in a PEFT file.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// For example `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Arc<[f32]>,
}

/// State of an optimizer, parallel to the tensors of its adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState {
    /// Number of steps taken.
    pub step: u64,
    /// First moments, in the order of [`AdapterState::tensors`].
    pub first: Vec<Arc<[f32]>>,
    /// Second moments, in the same order.
    pub second: Vec<Arc<[f32]>>,
}

/// An adapter as plain data, the content of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterState {
    /// Shape of the adapter.
    pub spec: AdapterSpec,
    /// LoRA scaling numerator; the update is `alpha / rank * B A`.
    pub alpha: f32,
    /// The weights.
    pub tensors: Vec<NamedTensor>,
    /// State of the optimizer, if requested.
    pub optimizer: Option<OptimizerState>,
}

impl AdapterState {
    /// Bytes of its arrays.
    pub fn bytes(&self) -> usize {
        let weights: usize = self.tensors.iter().map(|tensor| tensor.data.len()).sum();
        let moments = if self.optimizer.is_some() { 2 } else { 0 };
        weights * size_of::<f32>() * (1 + moments)
    }
}
