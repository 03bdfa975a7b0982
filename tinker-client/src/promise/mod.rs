//! Promises: polling for the result of an accepted request.

pub(crate) mod backoff;
pub(crate) mod poller;
pub(crate) mod record;
pub(crate) mod resolve;
pub(crate) mod state;
