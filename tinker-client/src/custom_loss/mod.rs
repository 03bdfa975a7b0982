//! Custom loss functions: registration, graphs, automatic differentiation.

pub mod autodiff;
pub(crate) mod create;
pub(crate) mod graph;
pub(crate) mod handle;
pub(crate) mod name;
pub(crate) mod registry;
pub(crate) mod value;
