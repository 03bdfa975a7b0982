//! Every decoder of the workspace as a function of any bytes.
//!
//! The fuzz targets in `fuzz/` and a test on stable call the same functions, so that the targets can't rot. A function
//! returns whatever it is given; a panic, a hang or memory without a bound is a fault.

mod answer;
mod engine;
mod folder;
mod message;
mod mutation;
mod seed;
mod target;
mod text;

pub use mutation::mutated;
pub use target::{TARGETS, Target};
