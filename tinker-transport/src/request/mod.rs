//! Requests: their description, address, idempotency key and copies.

pub(crate) mod base_url;
pub(crate) mod call;
pub(crate) mod idempotency;
pub(crate) mod outgoing;
pub(crate) mod replay;
pub(crate) mod spare;
pub(crate) mod watcher;
