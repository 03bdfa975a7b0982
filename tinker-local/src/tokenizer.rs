//! The built-in tokenizer as a Hugging Face folder, for clients that load tokenizers by path.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, json};
use tinker_engine::base::{ByteVocabulary, END, TOKENIZER};

/// Writes the files into `<data folder>/tokenizers/tinker-local/bytes` and returns this folder. Its path ends with the
/// tokenizer's name, by which clients with an own byte tokenizer know it.
pub(crate) fn write(data_dir: &Path, context: usize) -> io::Result<PathBuf> {
    let folder = data_dir.join("tokenizers").join(TOKENIZER);
    std::fs::create_dir_all(&folder)?;
    let end = ByteVocabulary::END_TEXT;
    let vocabulary: Map<_, _> = (0..=u8::MAX)
        .map(|byte| (letter(byte).to_string(), byte.into()))
        .collect();
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{
            "id": END, "content": end, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true,
        }],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": [],
        },
    });
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end, "model_max_length": context,
        "clean_up_tokenization_spaces": false,
    });
    for (name, content) in [
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", config),
    ] {
        std::fs::write(folder.join(name), content.to_string())?;
    }
    Ok(folder)
}

/// The letter by which byte-level tokenizers write a byte: itself if it is printable in Latin 1, else one from 256 on.
fn letter(byte: u8) -> char {
    let is_printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if is_printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|before| !is_printable(*before)).count() as u32;
    char::from_u32(256 + before).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_byte_level_tokenizers() {
        let letters = [b' ', b'\n', b'A', 0, 0xad, 0xe9].map(letter);
        assert_eq!(
            letters,
            ['\u{120}', '\u{10a}', 'A', '\u{100}', '\u{143}', '\u{e9}']
        );
        let all: std::collections::BTreeSet<char> = (0..=u8::MAX).map(letter).collect();
        assert_eq!(all.len(), 256);
    }
}
