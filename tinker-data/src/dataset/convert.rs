//! Conversion of examples to another format.

use super::error::{ErrorKind, LineError};
use super::example::Example;
use super::prompt::Prompt;
use super::row::Row;
use crate::chat::{Message, Role};

impl Row {
    /// The example as a conversation: a prompt becomes a message of the user, and a completion or a reference answer one
    /// of the assistant.
    ///
    /// # Errors
    /// Texts, pairs and tokens, which are no conversations, and problems without an answer.
    pub fn to_chat(&self) -> Result<Example, LineError> {
        let turns = |user: &str, assistant: &str| {
            Example::Chat([Message::user(user), Message::assistant(assistant)].into())
        };
        match &self.example {
            Example::Chat(_) => Ok(self.example.clone()),
            Example::Completion { prompt, completion } => Ok(turns(prompt, completion)),
            Example::Problem {
                prompt,
                answer: Some(answer),
                ..
            } => {
                let answer = match answer.as_str() {
                    Some(text) => text.to_owned(),
                    None => answer.to_string(),
                };
                Ok(match prompt {
                    Prompt::Text(prompt) => turns(prompt, &answer),
                    Prompt::Chat(conversation) => {
                        let mut conversation = conversation.clone();
                        conversation.messages.push(Message::assistant(answer));
                        Example::Chat(conversation)
                    }
                })
            }
            other => Err(self.refuse(other, "a conversation")),
        }
    }

    /// The example as a prompt and its completion, without a chat template between them.
    ///
    /// # Errors
    /// Conversations of anything but one message of the user and one of the assistant, texts, pairs and tokens, and
    /// problems without an answer.
    pub fn to_completion(&self) -> Result<Example, LineError> {
        if let Example::Completion { .. } = self.example {
            return Ok(self.example.clone());
        }
        let chat = self.to_chat();
        let Ok(Example::Chat(conversation)) = &chat else {
            return Err(self.refuse(&self.example, "a prompt with a completion"));
        };
        match &conversation.messages[..] {
            [user, assistant]
                if user.role == Role::User
                    && is_plain(user)
                    && assistant.role == Role::Assistant
                    && is_plain(assistant)
                    && conversation.tools.is_empty() =>
            {
                Ok(Example::Completion {
                    prompt: user.text().to_owned(),
                    completion: assistant.text().to_owned(),
                })
            }
            _ => Err(self.refuse(&self.example, "a prompt with a completion")),
        }
    }

    fn refuse(&self, example: &Example, target: &str) -> LineError {
        let what = match example {
            Example::Chat(_) => "is a conversation of more than a question and an answer",
            Example::Text(_) => "is a text without a prompt",
            Example::Preference { .. } => "is a pair of answers",
            Example::Problem { .. } => "is a problem without an answer",
            Example::Tokens(_) => "is encoded already",
            Example::Completion { .. } => "is a prompt with a completion",
        };
        LineError::new(
            ErrorKind::Format,
            format!("{what}, and cannot become {target}"),
            "convert to another format, or leave the line out",
        )
        .at(self)
    }
}

/// Whether a message is its text and nothing else.
fn is_plain(message: &Message) -> bool {
    message.content.is_some()
        && message.reasoning.is_none()
        && message.tool_calls.is_empty()
        && message.weight.to_bits() == 1_f32.to_bits()
}
