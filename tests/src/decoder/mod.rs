//! Every decoder of the workspace as a function of arbitrary bytes.
//!
//! The fuzz targets in `fuzz/` and a test on stable call the same functions, so that the targets keep compiling.
//! No input may cause a panic, a hang or unbounded memory.

mod answer;
mod data;
mod engine;
mod folder;
mod message;
mod mutation;
mod seed;
mod target;
mod text;
mod training;

pub use mutation::mutated;
pub use target::{TARGETS, Target};
