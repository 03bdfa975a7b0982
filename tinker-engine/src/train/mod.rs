//! Training batches: checks, losses, packing and the pool of threads that runs them.

mod check;
mod loss;
mod packs;
mod pool;
mod run;

pub(crate) use check::check_tokens;
pub(crate) use packs::{Example, pack};
pub(crate) use pool::{GradientScope, TrainingPool};
pub(crate) use run::train;
