//! Text to tokens and back, one token for each byte.

use crate::vocabulary::Vocabulary;

/// The token that ends a document and an answer.
pub const END: u32 = 256;

/// Ids 0 to 255 are bytes; 256 is `<|end|>`; 257 to 287 are reserved.
///
/// ```
/// use tinker_engine::base::{ByteTokenizer, END};
///
/// let tokens = ByteTokenizer.encode("hé<|end|>");
/// assert_eq!(tokens, [104, 195, 169, END]);
/// assert_eq!(ByteTokenizer.decode(&tokens), "hé<|end|>");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteTokenizer;

impl ByteTokenizer {
    /// Number of token ids.
    pub const VOCAB_SIZE: usize = 288;
    /// How [`END`] is written in text.
    pub const END_TEXT: &str = "<|end|>";

    /// The tokens of a text. `<|end|>` becomes [`END`]; use [`ByteTokenizer::encode_plain`] for text
    /// that is not to be trusted with that.
    pub fn encode(self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::with_capacity(text.len());
        for (i, part) in text.split(Self::END_TEXT).enumerate() {
            if i > 0 {
                tokens.push(END);
            }
            tokens.extend(part.bytes().map(u32::from));
        }
        tokens
    }

    /// The tokens of a text, byte by byte, with no special ones.
    pub fn encode_plain(self, text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    /// The text of tokens. Bytes that are no UTF-8 become U+FFFD; reserved ids vanish.
    pub fn decode(self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|t| self.bytes(*t))
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What a token adds to the text: one byte, the end token's name, or nothing.
    pub fn bytes(self, token: u32) -> &'static [u8] {
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

impl Vocabulary for ByteTokenizer {
    fn bytes(&self, token: u32) -> &[u8] {
        ByteTokenizer::bytes(*self, token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_token() {
        for token in 0..256 {
            assert_eq!(ByteTokenizer.bytes(token), [token as u8]);
        }
        assert!(ByteTokenizer.bytes(257).is_empty());
    }

    #[test]
    fn text_goes_there_and_back() {
        for text in ["", "plain", "grüße <|end|><|end|> tail", "<|end", "日本"] {
            assert_eq!(ByteTokenizer.decode(&ByteTokenizer.encode(text)), text);
        }
        assert_eq!(ByteTokenizer.encode_plain("<|end|>").len(), 7);
    }

    #[test]
    fn broken_utf8_is_shown_as_such() {
        assert_eq!(ByteTokenizer.decode(&[0xc3, 0x41, 300]), "\u{fffd}A");
    }
}
