//! Conversations.

use crate::chat::message::Message;
use crate::json::Json;

/// A conversation and what its template can refer to.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Conversation {
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// Tools that the model may call, as JSON schemas.
    pub tools: Vec<Json>,
    /// Additional variables of the template, for example `enable_thinking`.
    pub template_args: Vec<(String, Json)>,
}

impl Conversation {
    /// The same tools and variables with the first `count` messages.
    pub fn first(&self, count: usize) -> Self {
        Self {
            messages: self.messages[..count.min(self.messages.len())].to_vec(),
            tools: self.tools.clone(),
            template_args: self.template_args.clone(),
        }
    }
}

impl From<Vec<Message>> for Conversation {
    fn from(messages: Vec<Message>) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }
}

impl From<&[Message]> for Conversation {
    fn from(messages: &[Message]) -> Self {
        messages.to_vec().into()
    }
}

impl<const N: usize> From<[Message; N]> for Conversation {
    fn from(messages: [Message; N]) -> Self {
        Vec::from(messages).into()
    }
}

impl<const N: usize> From<&[Message; N]> for Conversation {
    fn from(messages: &[Message; N]) -> Self {
        messages.to_vec().into()
    }
}
