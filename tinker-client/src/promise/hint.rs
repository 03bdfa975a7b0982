//! Knowledge about a promise before the first poll.

use tokio::time::Instant;

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
