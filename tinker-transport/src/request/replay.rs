//! Whether a request may be repeated.

/// Whether a request may be sent again if the first one may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replay {
    /// Yes: the server recognizes the repeat (a sequence id), or the call only reads.
    Safe,
    /// No: only if it certainly did not arrive, or was rejected before any work.
    #[default]
    Unsafe,
}
