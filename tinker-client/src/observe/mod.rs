//! Observation of a service: events, observers, log lines, metrics.

pub(crate) mod event;
mod logger;
pub(crate) mod observer;
pub(crate) mod reach;
pub(crate) mod sink;
