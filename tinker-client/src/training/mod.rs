//! Training: the client, its passes, custom losses, checkpoints.

pub(crate) mod client;
pub(crate) mod combine;
pub(crate) mod custom;
pub(crate) mod fault;
pub(crate) mod forward;
pub(crate) mod model;
pub(crate) mod options;
pub(crate) mod part;
pub(crate) mod passes;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod saves;
pub(crate) mod step;
pub(crate) mod submit;

#[cfg(test)]
mod tests;
