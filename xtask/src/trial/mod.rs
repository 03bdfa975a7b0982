//! Long robustness runs. Their results are in docs/robustness.md.

mod crash;
mod fuzz;
mod kill;
mod load;
mod soak;

pub(crate) use crash::crash;
pub(crate) use fuzz::fuzz;
pub(crate) use kill::kill;
pub(crate) use load::load;
pub(crate) use soak::soak;
