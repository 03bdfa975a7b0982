//! Observation of a service: events, observers, log lines, metrics.

mod event;
mod logger;
mod metrics;
mod observer;

pub use event::{ClientEvent, PromiseStep};
pub use observer::{ClientObserver, ClientObservers};
