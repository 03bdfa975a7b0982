//! The engine: explicit forward and backward of a small decoder on a CPU, in f32.

mod adapter;
mod adapter_layout;
mod attention;
mod backward;
mod check;
mod config;
mod cpu;
mod crew;
mod forward;
mod head;
mod kernels;
mod layout;
mod linear;
mod lora;
mod loss;
mod model;
mod optimizer;
mod packs;
mod pass;
pub mod pretrain;
pub mod probe;
mod random;
mod repeated;
mod rope;
mod sample;
mod source;
mod tape;
mod team;
mod tensors;
mod train;
mod weights;

pub use config::{Arch, ModelConfig};
pub use cpu::CpuBackend;
pub(crate) use kernels::{Kind, Stored};
pub(crate) use layout::{Layout, Slot};
pub(crate) use random::Random;
pub use rope::RopeScaling;
pub use sample::Vocabulary;
pub(crate) use tensors::Tensors;
#[cfg(feature = "base-model")]
pub(crate) use weights::TensorFile;
