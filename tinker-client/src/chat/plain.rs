//! The template of the built-in model: names, colons, one line a turn.

use super::piece::Piece;
use super::{ChatError, Message, Role};

/// What the model is asked to continue.
const ANSWER: &str = "Assistant: ";

/// `System: ..\n`, `User: ..\n`, `Assistant: ..<END>\n`.
pub(super) fn render(messages: &[Message]) -> Result<Vec<Piece>, ChatError> {
    let mut pieces = Vec::with_capacity(messages.len() * 3);
    for (index, Message { role, content }) in messages.iter().enumerate() {
        match role {
            Role::System => pieces.push(Piece::text(format!("System: {content}\n"), false)),
            Role::User => pieces.push(Piece::text(format!("User: {content}\n"), false)),
            Role::Assistant => pieces.extend([
                Piece::text(ANSWER, false),
                Piece::text(content, true),
                Piece::END,
                Piece::text("\n", false),
            ]),
            Role::Other(role) => {
                let what = format!(
                    "messages[{index}].role: the plain template knows system, user and assistant, not {role:?}"
                );
                return Err(ChatError::new(what));
            }
        }
    }
    Ok(pieces)
}

/// The same, then the name of who speaks next.
pub(super) fn render_prompt(messages: &[Message]) -> Result<Vec<Piece>, ChatError> {
    let mut pieces = render(messages)?;
    pieces.push(Piece::text(ANSWER, false));
    Ok(pieces)
}
