//! Exports of saved adapters: folders that `peft` and `transformers` load.
//!
//! A checkpoint is read from its data folder without the folder's lock, so it can be exported while an engine runs, and
//! afterwards.

mod adapter;

pub use adapter::SavedAdapter;

#[cfg(test)]
mod tests;
