//! LoRA adapters in training: parameters, accumulated gradients, optimizer state.

mod base_copies;
mod optimizer;
mod trainable;

pub(crate) use base_copies::without_base_copies;
pub(crate) use optimizer::{AdamW, norm};
pub(crate) use trainable::Adapter;
