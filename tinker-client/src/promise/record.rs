//! A promise of the server.

use std::time::Duration;

use tinker_types::{Operation, RequestId, RequestType, Submitted};
use tokio::time::Instant;

/// A promised result: the id to poll for and the kind of result.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    pub(crate) operation: &'static str,
    pub(crate) request_type: RequestType,
    pub(crate) request_id: RequestId,
    /// Start of the operation.
    pub(crate) started: Instant,
    /// Time from the start to the acceptance.
    pub(crate) accepted_after: Duration,
    /// Sequence id of an earlier request of the same model that the server refused.
    pub(crate) behind: Option<u64>,
}

/// Knowledge about a promise before the first poll.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hint {
    /// None.
    None,
    /// The server has been unreachable since this instant.
    Lost(Instant),
    /// The result is ready and has this size in bytes.
    Size(u64),
}

impl Promise {
    /// The promise given to an operation that started at `started`.
    pub(crate) fn of<O: Operation>(submitted: Submitted, started: Instant) -> Self {
        Self {
            operation: O::NAME,
            request_type: O::REQUEST_TYPE,
            request_id: submitted.request_id,
            started,
            accepted_after: started.elapsed(),
            behind: None,
        }
    }
}
