//! Adapters and models for use elsewhere, as folders that `peft` and `transformers` load.
//!
//! A checkpoint is read from its data folder without taking part in it, so it can be exported while an engine runs, and
//! afterwards. What is written is there whole or not at all.

mod base;
mod error;
mod merge;
mod output;
mod receipt;

pub use base::BaseModelSource;
pub use error::ExportError;
pub use output::{ExportTarget, Exported};

#[cfg(test)]
mod tests;
