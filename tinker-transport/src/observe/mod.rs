//! Observation: events, observers, log lines and metrics.

pub(crate) mod event;
pub(crate) mod logger;
pub(crate) mod metrics;
pub(crate) mod observer;
