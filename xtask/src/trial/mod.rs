//! Long runs that try to break things. Their figures are in docs/robustness.md.

mod fuzz;
mod kill;

pub(crate) use fuzz::fuzz;
pub(crate) use kill::kill;
