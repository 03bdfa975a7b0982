//! Stop rules of a sequence.

use crate::backend::StopRule;
use crate::vocabulary::Vocabulary;

/// State of a stop rule over one sequence.
#[derive(Debug, Clone)]
pub(super) enum StopWatch {
    Tokens(Vec<u32>),
    Text {
        end_tokens: Vec<u32>,
        texts: Vec<Vec<u8>>,
        /// The end of the text so far, one byte shorter than the longest stop text.
        tail: Vec<u8>,
    },
}

impl StopWatch {
    /// The state before the first token; `end_tokens` are those of the model.
    pub(super) fn new(rule: &StopRule, end_tokens: &[u32]) -> Self {
        match rule {
            StopRule::Default => Self::Tokens(end_tokens.to_vec()),
            StopRule::Never => Self::Tokens(Vec::new()),
            StopRule::Tokens(tokens) => Self::Tokens(tokens.clone()),
            StopRule::Text(texts) => Self::Text {
                end_tokens: end_tokens.to_vec(),
                texts: texts.iter().map(|text| text.as_bytes().to_vec()).collect(),
                tail: Vec::new(),
            },
        }
    }

    /// Whether the sequence ends with this token.
    pub(super) fn ends_with(&mut self, token: u32, vocabulary: &dyn Vocabulary) -> bool {
        match self {
            Self::Tokens(tokens) => tokens.contains(&token),
            Self::Text {
                end_tokens,
                texts,
                tail,
            } => {
                tail.extend_from_slice(vocabulary.bytes(token));
                let hit = texts
                    .iter()
                    .any(|text| tail.windows(text.len()).any(|window| window == text));
                let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
                let excess = tail.len().saturating_sub(longest.saturating_sub(1));
                tail.drain(..excess);
                hit || end_tokens.contains(&token)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ByteVocabulary, END};

    fn stops_at(rule: &StopRule, text: &str) -> Option<usize> {
        let mut watch = StopWatch::new(rule, &[256]);
        let end = [END];
        let mut tokens = Vec::new();
        for part in text.split_inclusive(ByteVocabulary::END_TEXT) {
            let plain = part.trim_end_matches(ByteVocabulary::END_TEXT);
            tokens.extend(plain.bytes().map(u32::from));
            tokens.extend(&end[..usize::from(plain.len() < part.len())]);
        }
        tokens
            .iter()
            .position(|token| watch.ends_with(*token, &ByteVocabulary))
    }

    #[test]
    fn each_rule_stops_where_it_says() {
        assert_eq!(stops_at(&StopRule::Default, "ab<|end|>c"), Some(2));
        assert_eq!(stops_at(&StopRule::Never, "ab<|end|>c"), None);
        assert_eq!(
            stops_at(&StopRule::Tokens(vec![u32::from(b'b')]), "ab<|end|>c"),
            Some(1)
        );
        let text = StopRule::Text(vec!["\n\n".to_owned(), "User:".to_owned()]);
        assert_eq!(stops_at(&text, "one\ntwo\n\nthree"), Some(8));
        assert_eq!(stops_at(&text, "UserUser: x"), Some(8));
        assert_eq!(stops_at(&text, "User :"), None);
        assert_eq!(stops_at(&text, "ab<|end|>User:"), Some(2));
        assert_eq!(
            stops_at(&StopRule::Text(vec!["d|>".to_owned()]), "a<|end|>"),
            Some(1)
        );
    }
}
