//! The default stack: its settings, its layers, and the transport that results.

pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod identity;
pub(crate) mod layers;
pub(crate) mod proxy;
pub(crate) mod transport;
