//! The weights file, linked into the library.

/// Safetensors with f16 tensors and Hugging Face's names for Qwen 3; the shape is
/// [`ModelConfig::tiny`](crate::ModelConfig::tiny). Made by `cargo xtask base-model`.
pub static WEIGHTS: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/assets/base.safetensors"
));
