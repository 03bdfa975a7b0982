//! Whether a request may be sent again.

/// May a request be sent again when the first may have arrived?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replay {
    /// Yes: the server recognises the repeat (a sequence id), or the call only reads.
    Safe,
    /// No: only if it certainly did not arrive, or was turned away before any work.
    #[default]
    Unsafe,
}
