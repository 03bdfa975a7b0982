//! Training examples, before they are encoded.

use tinker_types::Datum;

use super::prompt::Prompt;
use crate::chat::{Conversation, Message};
use crate::json::Json;
use crate::tokenizer::Tokenizer;

/// A training example, before it is encoded.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Example {
    /// Teaches `completion` after `prompt`. Nothing is inserted between them.
    Completion {
        /// The text before.
        prompt: String,
        /// The text to learn.
        completion: String,
    },
    /// Teaches each answer of the assistant after the messages before it.
    Chat(Conversation),
    /// Teaches a whole text and its end.
    Text(String),
    /// Two answers to one prompt, each with the prompt: a [`Completion`](Self::Completion) or a [`Chat`](Self::Chat).
    /// Only the last part of each is to be learned or compared.
    Preference {
        /// The better one.
        chosen: Box<Example>,
        /// The worse one.
        rejected: Box<Example>,
    },
    /// A prompt whose answers are sampled and rewarded.
    Problem {
        /// The prompt.
        prompt: Prompt,
        /// The reference answer, if there is one.
        answer: Option<Json>,
        /// All other columns, for the reward.
        metadata: Vec<(String, Json)>,
    },
    /// An example that is encoded already.
    Tokens(Datum),
}

impl Example {
    /// The messages; none of texts and tokens.
    fn messages(&self) -> Box<dyn Iterator<Item = &Message> + '_> {
        match self {
            Self::Chat(conversation)
            | Self::Problem {
                prompt: Prompt::Chat(conversation),
                ..
            } => Box::new(conversation.messages.iter()),
            Self::Preference { chosen, rejected } => {
                Box::new(chosen.messages().chain(rejected.messages()))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Number of messages without any text, thought or call.
    pub(super) fn empty_turns(&self) -> usize {
        let is_empty = |message: &&Message| {
            message.text().trim().is_empty()
                && message.tool_calls.is_empty()
                && message.reasoning.is_none()
        };
        self.messages().filter(is_empty).count()
    }

    /// Whether the example is written by a chat template: it holds messages, not plain texts.
    pub fn has_messages(&self) -> bool {
        match self {
            Self::Chat(_)
            | Self::Problem {
                prompt: Prompt::Chat(_),
                ..
            } => true,
            Self::Preference { chosen, rejected } => {
                chosen.has_messages() || rejected.has_messages()
            }
            _ => false,
        }
    }

    /// Whether a text contains a control token of the tokenizer, in its written form.
    pub fn has_control_token(&self, tokenizer: &Tokenizer) -> bool {
        let is_in = |text: &str| tokenizer.control_token_in(text).is_some();
        let is_in_chat = |conversation: &Conversation| {
            let mut messages = conversation.messages.iter();
            messages.any(|message| {
                is_in(message.text()) || message.reasoning.as_deref().is_some_and(is_in)
            })
        };
        match self {
            Self::Completion { prompt, completion } => is_in(prompt) || is_in(completion),
            Self::Text(text) => is_in(text),
            Self::Chat(conversation) => is_in_chat(conversation),
            Self::Problem { prompt, .. } => match prompt {
                Prompt::Text(text) => is_in(text),
                Prompt::Chat(conversation) => is_in_chat(conversation),
            },
            Self::Preference { chosen, rejected } => {
                chosen.has_control_token(tokenizer) || rejected.has_control_token(tokenizer)
            }
            Self::Tokens(_) => false,
        }
    }
}
