//! Vocabulary of the built-in model: one token for each byte.

use crate::vocabulary::Vocabulary;

/// The token that ends a document and an answer.
pub const END: u32 = 256;

/// Ids 0 to 255 are bytes; 256 is [`END`], written `<|end|>`; 257 to 287 are reserved.
///
/// ```
/// use tinker_engine::Vocabulary;
/// use tinker_engine::base::{ByteVocabulary, END};
///
/// assert_eq!(ByteVocabulary.bytes(104), b"h");
/// assert_eq!(ByteVocabulary.bytes(END), b"<|end|>");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteVocabulary;

impl ByteVocabulary {
    /// Number of token ids.
    pub const VOCAB_SIZE: usize = 288;
    /// Text of [`END`].
    pub const END_TEXT: &str = "<|end|>";
}

impl Vocabulary for ByteVocabulary {
    /// One byte, the text of the end token, or nothing.
    fn bytes(&self, token: u32) -> &[u8] {
        static BYTES: [u8; 256] = {
            let mut bytes = [0; 256];
            let mut i = 0;
            while i < 256 {
                bytes[i] = i as u8;
                i += 1;
            }
            bytes
        };
        match token {
            0..=255 => &BYTES[token as usize..=token as usize],
            END => Self::END_TEXT.as_bytes(),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_token() {
        for token in 0..256 {
            assert_eq!(ByteVocabulary.bytes(token), [token as u8]);
        }
        assert!(ByteVocabulary.bytes(257).is_empty());
    }
}
