//! Vocabulary: the bytes of each token, and ids that are never drawn.

/// The bytes of each token, as far as stop texts need them, and ids that are never drawn.
pub trait Vocabulary: Send + Sync + std::fmt::Debug {
    /// The bytes a token adds to the text.
    fn bytes(&self, token: u32) -> &[u8];

    /// Ids that are never drawn.
    fn excluded(&self) -> &[u32] {
        &[]
    }
}
