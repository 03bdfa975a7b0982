#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

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
