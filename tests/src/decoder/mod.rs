//! Every decoder of the workspace as a function of arbitrary bytes.
//!
//! The fuzz targets in `fuzz/` and a test on stable call the same functions, so that the targets keep compiling.
//! Each function returns for every input; a panic, a hang or unbounded memory is a defect.

mod answer;
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
