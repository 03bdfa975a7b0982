//! Causal attention: key and value cache, forward and backward passes.

mod backward;
mod key_values;
mod rows;
mod sequence;

pub(crate) use backward::{Attended, AttentionScratch, attend_backward};
pub(crate) use key_values::KeyValues;
pub(crate) use rows::{History, attend_rows};
pub(crate) use sequence::{SequenceRows, attend};
