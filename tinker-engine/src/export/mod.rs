//! Exports: model folders that `transformers` and this engine load.
//!
//! An export is written atomically: the folder is complete or absent.

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
