//! CPU engine: explicit forward and backward passes of small decoder-only transformers, LoRA training and sampling.
//!
//! [`CpuBackend`] trains LoRA adapters of one base model and samples from them. It implements
//! [`Backend`](backend::Backend), the interface a server drives. The base model is the built-in one (feature
//! `base-model`), a Hugging Face folder ([`ModelFolder`]), or random weights for tests.

pub mod backend;
pub mod base;
pub mod export;
pub mod pretrain;
pub mod probe;
pub mod testing;

mod adapter;
mod cpu;
mod folder;
mod kernels;
mod memory;
mod model;
mod random;
mod sample;
mod threads;
mod train;
mod vocabulary;

pub use cpu::CpuBackend;
#[cfg(feature = "decoders")]
#[doc(hidden)]
pub use folder::decoders;
pub use folder::{FolderError, ModelFolder, Storage};
pub use memory::release_memory;
pub use model::{Arch, ModelConfig, RopeScaling};
pub use vocabulary::Vocabulary;
