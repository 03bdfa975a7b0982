//! The folder of a run.

pub(crate) mod folder;
pub(crate) mod journal;
pub(crate) mod tensorboard;
pub(crate) mod view;
