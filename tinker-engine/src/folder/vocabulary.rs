//! Vocabulary of `tokenizer.json`: the bytes of each token, enough to find stop texts, not to encode.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::error::FolderError;
use super::file::{parse_json, read};
use crate::vocabulary::Vocabulary;

const MOST_BYTES: u64 = 256 << 20;

/// The bytes of each token.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenizerVocabulary {
    tokens: Vec<Option<Box<[u8]>>>,
    /// Ids without a token, in order.
    unknown: Vec<u32>,
    draws_known_only: bool,
}

impl Vocabulary for TokenizerVocabulary {
    fn bytes(&self, token: u32) -> &[u8] {
        self.tokens
            .get(token as usize)
            .and_then(Option::as_deref)
            .unwrap_or_default()
    }

    fn excluded(&self) -> &[u32] {
        if self.draws_known_only {
            &self.unknown
        } else {
            &[]
        }
    }
}

#[derive(Deserialize)]
struct File {
    model: Model,
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    pre_tokenizer: Option<Part>,
    #[serde(default)]
    decoder: Option<Part>,
}

#[derive(Deserialize)]
struct Model {
    vocab: Words,
}

/// By name or, for a unigram model, in order with their scores.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Named(BTreeMap<String, u32>),
    Ordered(Vec<(String, f64)>),
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

/// A step of the tokenizer, with its nested steps.
#[derive(Deserialize)]
struct Part {
    r#type: String,
    #[serde(default, alias = "pretokenizers")]
    decoders: Vec<Part>,
}

impl Part {
    fn is_byte_level(&self) -> bool {
        self.r#type == "ByteLevel" || self.decoders.iter().any(Self::is_byte_level)
    }
}

impl TokenizerVocabulary {
    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// A token whose id the model does not have.
    pub(crate) fn read(path: &Path, vocab_size: usize) -> Result<Self, FolderError> {
        Self::parse(path, &read(path, MOST_BYTES)?, vocab_size)
    }

    /// Parses the bytes of such a file.
    pub(super) fn parse(path: &Path, bytes: &[u8], vocab_size: usize) -> Result<Self, FolderError> {
        let file: File = parse_json(path, bytes)?;
        let is_byte_level = [&file.decoder, &file.pre_tokenizer]
            .into_iter()
            .flatten()
            .any(Part::is_byte_level);
        let mut text = Self {
            tokens: vec![None; vocab_size],
            unknown: Vec::new(),
            draws_known_only: false,
        };
        let words: Vec<(String, u32)> = match file.model.vocab {
            Words::Named(words) => words.into_iter().collect(),
            Words::Ordered(words) => words.into_iter().map(|(word, _)| word).zip(0..).collect(),
        };
        let decode = if is_byte_level {
            byte_level
        } else {
            sentence_piece
        };
        for (word, id) in words {
            text.put(path, id, &word, decode(&word))?;
        }
        for Added { id, content } in file.added_tokens {
            text.put(path, id, &content, content.clone().into_bytes())?;
        }
        let unknown = text
            .tokens
            .iter()
            .zip(0..)
            .filter(|(token, _)| token.is_none());
        text.unknown = unknown.map(|(_, id)| id).collect();
        Ok(text)
    }

    /// Keeps ids without a token from being drawn.
    pub(super) fn drawing_known_only(mut self) -> Self {
        self.draws_known_only = true;
        self
    }

    fn put(&mut self, path: &Path, id: u32, word: &str, bytes: Vec<u8>) -> Result<(), FolderError> {
        let Some(place) = self.tokens.get_mut(id as usize) else {
            let what = format!(
                "has the token {word:?} with id {id}, but the model has {} ids (vocab_size of config.json)",
                self.tokens.len()
            );
            return Err(FolderError::new(path, what));
        };
        *place = Some(bytes.into());
        Ok(())
    }
}

/// Decodes GPT-2's alphabet, which has a visible character for each byte.
fn byte_level(word: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    for c in word.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            // Outside the alphabet: the word stands for itself.
            None => return word.as_bytes().to_vec(),
        }
    }
    bytes
}

/// Whether a byte stands for itself in GPT-2's alphabet.
pub(crate) fn is_visible(byte: u8) -> bool {
    matches!(byte, 33..=126 | 161..=172 | 174..=255)
}

fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    if let Ok(byte) = u8::try_from(code)
        && is_visible(byte)
    {
        return Some(byte);
    }
    // The others follow from 256 on, in their order.
    let place = code.checked_sub(256)? as usize;
    (0..=255).filter(|byte| !is_visible(*byte)).nth(place)
}

/// Decodes a sentence piece: `▁` is a space, `<0x0A>` a byte.
fn sentence_piece(word: &str) -> Vec<u8> {
    let hex = word
        .strip_prefix("<0x")
        .and_then(|rest| rest.strip_suffix('>'));
    if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        return vec![byte];
    }
    word.replace('\u{2581}', " ").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<TokenizerVocabulary, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, json).unwrap();
        TokenizerVocabulary::read(&path, 5).map_err(|error| error.report())
    }

    fn of(json: &str) -> TokenizerVocabulary {
        read(json).unwrap()
    }

    #[test]
    fn a_token_that_the_model_lacks_is_named() {
        for json in [
            r#"{"model": {"vocab": {}}, "added_tokens": [{"id": 5, "content": "<pad>"}]}"#,
            r#"{"model": {"vocab": {"a": 0, "<pad>": 5}}}"#,
        ] {
            let error = read(json).unwrap_err();
            assert!(
                error.contains("\"<pad>\" with id 5, but the model has 5 ids"),
                "{error}"
            );
        }
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n";
        let error = read(pointer).unwrap_err();
        assert!(
            error.contains("is a Git LFS pointer; run `git lfs pull`"),
            "{error}"
        );
    }

    #[test]
    fn byte_level_words_are_bytes() {
        let text = of(
            r#"{"model": {"type": "BPE", "vocab": {"Ġhi": 0, "Ċ": 1, "Ã©": 2}},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split"}, {"type": "ByteLevel"}]},
            "added_tokens": [{"id": 3, "content": "<|end|>"}]}"#,
        );
        assert_eq!(text.bytes(0), b" hi");
        assert_eq!(text.bytes(1), b"\n");
        assert_eq!(text.bytes(2), "é".as_bytes());
        assert_eq!(text.bytes(3), b"<|end|>");
        assert_eq!(text.bytes(4), b"");
        assert_eq!(text.bytes(9), b"");
        assert_eq!(text.excluded(), [0_u32; 0]);
        assert_eq!(text.drawing_known_only().excluded(), [4]);
    }

    #[test]
    fn pieces_are_words_with_spaces() {
        let text = of(
            r#"{"model": {"type": "BPE", "vocab": {"▁hi": 0, "<0x0A>": 1}},
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace"}, {"type": "ByteFallback"}]}}"#,
        );
        assert_eq!(text.bytes(0), b" hi");
        assert_eq!(text.bytes(1), b"\n");
        let text = of(r#"{"model": {"type": "Unigram", "vocab": [["<unk>", 0.0], ["▁a", -1.5]]}}"#);
        assert_eq!(text.bytes(1), b" a");
    }

    #[test]
    fn every_byte_has_a_character() {
        let alphabet: Vec<u8> = (0..512)
            .filter_map(char::from_u32)
            .filter_map(byte_of)
            .collect();
        let mut sorted = alphabet.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..=255).collect::<Vec<u8>>());
    }
}
