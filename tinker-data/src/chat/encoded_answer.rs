//! An answer and its prompt as tokens.

/// An answer of the assistant as tokens, with those of its prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodedAnswer {
    /// Tokens of the prompt: what is before the answer, and its opening.
    pub prompt: Vec<u32>,
    /// Tokens that are written for the answer, with its end token.
    pub answer: Vec<u32>,
}
