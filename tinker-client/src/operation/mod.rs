//! Operations: handle, progress, groups, order.

pub(crate) mod group;
pub(crate) mod pending;
pub(crate) mod progress;
pub(crate) mod sequencer;
pub(crate) mod tracker;
pub(crate) mod waiting;
