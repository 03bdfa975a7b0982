//! Documents of the corpus as tokens, and the format of conversations.
//!
//! The end token ends a completion, an assistant's turn or a document.

use tinker_data::ByteTokenizer;
use tinker_engine::base::{ByteVocabulary, END};

/// A question and its answer, independent of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) user: String,
    pub(crate) assistant: String,
}

impl Exchange {
    pub(crate) fn new(user: impl Into<String>, assistant: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            assistant: assistant.into(),
        }
    }
}

/// Bytes and end tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Document {
    tokens: Vec<u32>,
}

impl Document {
    /// A text, followed by the end token.
    pub(crate) fn ended(text: &str) -> Self {
        let mut document = Self::default();
        document.push(text);
        document.tokens.push(END);
        document
    }

    /// A conversation. Each answer ends with the end token, then a newline opens the next turn.
    pub(crate) fn chat(system: Option<&str>, exchanges: &[Exchange]) -> Self {
        let mut document = Self::default();
        if let Some(system) = system {
            document.push(&format!("System: {system}\n"));
        }
        for (index, Exchange { user, assistant }) in exchanges.iter().enumerate() {
            if index > 0 {
                document.push("\n");
            }
            document.push(&format!("User: {user}\nAssistant: {assistant}"));
            document.tokens.push(END);
        }
        document
    }

    fn push(&mut self, text: &str) {
        self.tokens.extend(ByteTokenizer.encode(text));
    }

    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The text, with end tokens as `<|end|>`.
    pub(crate) fn readable(&self) -> String {
        let parts = self.tokens.split(|token| *token == END);
        let texts: Vec<_> = parts.map(|part| ByteTokenizer.decode(part)).collect();
        texts.join(ByteVocabulary::END_TEXT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_ends_each_answer() {
        let document = Document::chat(
            Some("Be brief."),
            &[Exchange::new("Hi", "Hello"), Exchange::new("Bye", "Bye")],
        );
        assert_eq!(
            document.readable(),
            "System: Be brief.\nUser: Hi\nAssistant: Hello<|end|>\nUser: Bye\nAssistant: Bye<|end|>"
        );
    }
}
