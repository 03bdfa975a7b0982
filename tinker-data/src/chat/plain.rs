//! Template of the built-in model: one line per message, each with the name of its role.

use super::message::{Message, Role};
use super::rendered::Rendered;
use crate::error::ChatError;

/// Start of an answer, which the model continues.
const ANSWER: &str = "Assistant: ";

/// `System: ..\n`, `User: ..\n`, `Assistant: ..<END>\n`, and the start of the next answer if `is_prompt`.
pub(super) fn render(messages: &[Message], is_prompt: bool) -> Result<Rendered, ChatError> {
    let mut rendered = Rendered::default();
    for (index, message) in messages.iter().enumerate() {
        let start = match &message.role {
            Role::System => "System: ",
            Role::User => "User: ",
            Role::Assistant => ANSWER,
            Role::Other(role) => {
                return Err(ChatError::new(format!(
                    "messages[{index}].role is {role:?}; the plain template has system, user and assistant"
                )));
            }
        };
        rendered.text.push_str(start);
        rendered.text.push_str(message.text());
        if message.role == Role::Assistant {
            rendered.ends.push(rendered.text.len());
        }
        rendered.text.push('\n');
    }
    if is_prompt {
        rendered.text.push_str(ANSWER);
    }
    Ok(rendered)
}
