//! Fault injection.

mod body;
mod kind;
mod layer;
mod plan;

#[cfg(test)]
mod tests;

pub use kind::{Fault, Injected};
pub use layer::{FaultLayer, Faulty};
