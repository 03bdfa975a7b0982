//! The engine: explicit forward and backward of a small decoder on a CPU, in f32.

mod attention;
mod backward;
mod config;
mod crew;
mod forward;
mod head;
mod kernels;
mod layout;
mod linear;
mod lora;
mod model;
mod optimizer;
mod packs;
mod pass;
pub mod pretrain;
mod random;
mod tape;
mod weights;

pub use config::{Arch, ModelConfig};
