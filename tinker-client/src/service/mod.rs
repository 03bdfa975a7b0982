//! The service client: construction, clients, sessions, raw calls.

pub(crate) mod builder;
pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod close;
pub(crate) mod create;
pub(crate) mod observing;
pub(crate) mod renew;
pub(crate) mod unload;

#[cfg(test)]
mod tests;
