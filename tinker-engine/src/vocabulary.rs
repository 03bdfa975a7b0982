//! Vocabulary: the bytes of each token.

/// The bytes of each token, as far as stop texts need them.
pub trait Vocabulary: Send + Sync + std::fmt::Debug {
    /// The bytes a token adds to the text.
    fn bytes(&self, token: u32) -> &[u8];
}
