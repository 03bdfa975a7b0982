//! The byte tokenizer of `tinker-data` against the vocabulary of the built-in model.

use tinker_data::{ByteTokenizer, Tokenizer};
use tinker_engine::{Vocabulary as _, base};

#[test]
fn the_tokenizer_matches_the_vocabulary_of_the_built_in_model() {
    assert_eq!(ByteTokenizer::END, base::END);
    for token in 0..300 {
        let bytes = if token == base::END {
            &[][..] // the text of samples has no end token
        } else {
            base::ByteVocabulary.bytes(token)
        };
        let text = ByteTokenizer.decode(&[token]);
        assert_eq!(text, String::from_utf8_lossy(bytes), "token {token}");
    }
    let every_byte: String = (0..=0x7f_u8)
        .map(char::from)
        .chain("\u{e9}\u{65e5}".chars())
        .collect();
    for (token, byte) in ByteTokenizer
        .encode(&every_byte)
        .into_iter()
        .zip(every_byte.bytes())
    {
        assert_eq!(base::ByteVocabulary.bytes(token), [byte]);
    }
}

#[test]
fn the_built_in_model_names_the_byte_tokenizer() {
    for id in [base::TOKENIZER, base::NAME] {
        assert!(Tokenizer::from_id(id).is_some(), "{id}");
    }
}
