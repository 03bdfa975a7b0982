//! tinker-local

mod error;

pub mod backend;
pub mod base;
pub mod engine;
