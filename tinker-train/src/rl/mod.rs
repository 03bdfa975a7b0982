//! Reinforcement learning with a reward that can be checked.

pub(crate) mod checker;
pub(crate) mod environment;
pub(crate) mod episodes;
pub(crate) mod group;
pub(crate) mod policy;
pub(crate) mod problem;
pub(crate) mod program;
pub(crate) mod reward;
pub(crate) mod sampled;
