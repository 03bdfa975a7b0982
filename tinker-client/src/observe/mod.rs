//! Observation of a service: events, observers, log lines, metrics.

pub(crate) mod event;
mod logger;
mod metrics;
pub(crate) mod observer;
pub(crate) mod sink;
