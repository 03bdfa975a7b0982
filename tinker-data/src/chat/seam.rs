//! Tokens of texts that are sampled or learned after one another.

use super::rendered::Rendered;
use crate::error::ChatError;
use crate::tokenizer::Tokenizer;

/// Tokens of a text that is cut in two or more parts.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts {
    /// Tokens of all parts.
    pub(super) tokens: Vec<u32>,
    /// Number of tokens before each cut.
    pub(super) cuts: Vec<usize>,
    /// Number of cuts that a token would have crossed, had the text been encoded as a whole.
    pub(super) merged: usize,
}

/// Tokens of `text`, cut at these byte offsets, ascending: the tokens before each cut are those of the text before it
/// alone, as it is sent to sample from.
///
/// `encode` encodes a text from its beginning. Where a token would cross a cut, the rest is encoded apart, without a
/// space before it.
pub(super) fn split(
    tokenizer: &Tokenizer,
    text: &str,
    cuts: &[usize],
    encode: impl Fn(&str) -> Result<Vec<u32>, ChatError>,
) -> Result<Parts, ChatError> {
    let mut parts = Parts::default();
    let mut done = 0;
    let from = |done: usize, end: usize| match done {
        0 => encode(&text[..end]),
        _ => tokenizer.encode_rest(&text[done..end]),
    };
    let mut whole = from(0, text.len())?;
    for &cut in cuts {
        let before = from(done, cut)?;
        parts.cuts.push(parts.tokens.len() + before.len());
        // An unknown token at the end may stand for more of the text.
        let is_open = before
            .last()
            .is_some_and(|token| tokenizer.is_unknown(*token));
        if is_open || !whole.starts_with(&before) {
            parts.tokens.extend(before);
            parts.merged += 1;
            done = cut;
            whole = tokenizer.encode_rest(&text[cut..])?;
        }
    }
    parts.tokens.extend(whole);
    Ok(parts)
}

/// Tokens of a prompt and of what follows it.
pub(super) fn join(
    tokenizer: &Tokenizer,
    prompt: &Rendered,
    rest: &Rendered,
) -> Result<Parts, ChatError> {
    if prompt.ends.is_empty() && rest.ends.is_empty() {
        let text = format!("{}{}", prompt.text, rest.text);
        return split(tokenizer, &text, &[prompt.text.len()], |text| {
            tokenizer.encode(text)
        });
    }
    let mut tokens = encode(tokenizer, prompt)?;
    let cuts = vec![tokens.len()];
    tokens.extend(encode(tokenizer, rest)?);
    let merged = 0;
    Ok(Parts {
        tokens,
        cuts,
        merged,
    })
}

/// Tokens of a rendered text.
pub(super) fn encode(tokenizer: &Tokenizer, rendered: &Rendered) -> Result<Vec<u32>, ChatError> {
    let mut tokens = Vec::new();
    let mut done = 0;
    for &end in &rendered.ends {
        tokens.extend(tokenizer.encode(&rendered.text[done..end])?);
        tokens.push(end_token(tokenizer)?);
        done = end;
    }
    tokens.extend(tokenizer.encode(&rendered.text[done..])?);
    Ok(tokens)
}

/// The token that the tokenizer's files name as the end.
pub(super) fn end_token(tokenizer: &Tokenizer) -> Result<u32, ChatError> {
    tokenizer.end_token().ok_or_else(|| {
        ChatError::new("the tokenizer names no end token; use the chat template of the model")
    })
}

#[cfg(test)]
#[cfg(feature = "tokenizers")]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_does_not_swallow_the_start_of_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        let json = r#"{"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
            "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "say": 1, "b": 2}, "unk_token": "<unk>"}}"#;
        std::fs::write(folder.path().join("tokenizer.json"), json).unwrap();
        let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
        let split = |text: &str, cut: usize| {
            split(&tokenizer, text, &[cut], |text| tokenizer.encode(text)).unwrap()
        };
        let parts = split("say 1a b", 5);
        assert_eq!((parts.tokens, parts.merged), (vec![1, 0, 0, 2], 1));
        let parts = split("say b", 3);
        assert_eq!((parts.tokens, parts.merged), (vec![1, 2], 0));
    }
}
