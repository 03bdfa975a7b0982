//! Prompts.

use crate::chat::{Conversation, Message};

/// A prompt to complete or to answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Text to continue.
    Text(String),
    /// A conversation to which the assistant replies.
    Chat(Conversation),
}

impl Prompt {
    /// The text, or that of the last message.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Chat(conversation) => conversation.messages.last().map_or("", Message::text),
        }
    }
}
