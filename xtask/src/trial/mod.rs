//! Long runs that try to break things. Their figures are in docs/robustness.md.

mod fuzz;
mod kill;
mod load;

pub(crate) use fuzz::fuzz;
pub(crate) use kill::kill;
pub(crate) use load::load;
