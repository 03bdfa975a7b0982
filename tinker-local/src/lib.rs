//! tinker-local

mod error;

pub mod backend;
pub mod engine;
