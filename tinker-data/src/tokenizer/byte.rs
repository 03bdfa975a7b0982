//! Byte tokenizer: one token for each byte of the text.

/// The tokenizer of the built-in model: ids 0 to 255 are bytes, [`END`](Self::END) ends a text or an answer, and higher
/// ids are reserved.
///
/// ```
/// use tinker_data::ByteTokenizer;
///
/// let mut tokens = ByteTokenizer.encode("h\u{e9}");
/// assert_eq!(tokens, [104, 195, 169]);
/// tokens.push(ByteTokenizer::END);
/// assert_eq!(ByteTokenizer.decode(&tokens), "h\u{e9}");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteTokenizer;

impl ByteTokenizer {
    /// Token that ends a text or an answer.
    pub const END: u32 = 256;

    /// Tokens of a text, one for each byte. Special tokens have no written form.
    pub fn encode(self, text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    /// Text of tokens. Special tokens are left out, and bytes that are not UTF-8 become `U+FFFD`.
    pub fn decode(self, tokens: &[u32]) -> String {
        let bytes = tokens.iter().filter_map(|&token| u8::try_from(token).ok());
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_reverses_encoding_and_skips_special_tokens() {
        let mut tokens = ByteTokenizer.encode("h\u{e9}\n");
        assert_eq!(tokens, [104, 0xc3, 0xa9, 10]);
        tokens.extend([ByteTokenizer::END, 257]);
        assert_eq!(ByteTokenizer.decode(&tokens), "h\u{e9}\n");
        for text in ["", "plain", "grüße <|end|>", "日本"] {
            assert_eq!(ByteTokenizer.decode(&ByteTokenizer.encode(text)), text);
        }
    }

    #[test]
    fn invalid_utf8_becomes_the_replacement_character() {
        assert_eq!(ByteTokenizer.decode(&[0xc3]), "\u{fffd}");
        assert_eq!(ByteTokenizer.decode(&[0xc3, 0x41, 300]), "\u{fffd}A");
    }
}
