//! Sampling: the client, its samplers, token streams.

pub(crate) mod abandon;
pub(crate) mod client;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod event;
pub(crate) mod handle;
pub(crate) mod many;
pub(crate) mod opening;
pub(crate) mod options;
pub(crate) mod renewable;
pub(crate) mod response;
pub(crate) mod sampler;
pub(crate) mod source;
pub(crate) mod sse;
pub(crate) mod stream;

#[cfg(test)]
mod tests;
