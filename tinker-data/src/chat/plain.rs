//! Template of the built-in model: one line per message, each with the name of its role.

use super::message::{Message, Role};
use super::piece::Piece;
use crate::error::ChatError;

/// Start of an answer, which the model continues.
const ANSWER: &str = "Assistant: ";

/// `System: ..\n`, `User: ..\n`, `Assistant: ..<END>\n`.
pub(super) fn render(messages: &[Message]) -> Result<Vec<Piece>, ChatError> {
    let mut pieces = Vec::with_capacity(messages.len() * 3);
    for (index, message) in messages.iter().enumerate() {
        let content = message.text();
        match &message.role {
            Role::System => pieces.push(Piece::text(format!("System: {content}\n"), false)),
            Role::User => pieces.push(Piece::text(format!("User: {content}\n"), false)),
            Role::Assistant => pieces.extend([
                Piece::text(ANSWER, false),
                Piece::text(content, true),
                Piece::END,
                Piece::text("\n", false),
            ]),
            Role::Other(role) => {
                return Err(ChatError::new(format!(
                    "messages[{index}].role is {role:?}; the plain template has system, user and assistant"
                )));
            }
        }
    }
    Ok(pieces)
}

/// The same, followed by the start of the next answer.
pub(super) fn render_prompt(messages: &[Message]) -> Result<Vec<Piece>, ChatError> {
    let mut pieces = render(messages)?;
    pieces.push(Piece::text(ANSWER, false));
    Ok(pieces)
}
