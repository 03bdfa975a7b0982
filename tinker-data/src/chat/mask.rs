//! Which parts of a conversation are learned.

use super::conversation::Conversation;
use super::message::Role;
use super::piece::{self, Piece};
use super::rendered::Rendered;
use super::template::Template;
use crate::error::ChatError;

/// The whole conversation, with the answers marked as learned.
///
/// An answer is what the template adds to the prompt before it. That is well defined only if the template renders
/// earlier messages the same way whatever follows; other templates are an error.
pub(super) fn pieces(
    template: &Template,
    conversation: &Conversation,
) -> Result<Vec<Piece>, ChatError> {
    let whole = template.render(conversation, false)?;
    let mut pieces = Vec::new();
    let mut done = Rendered::default();
    for (index, message) in conversation.messages.iter().enumerate() {
        if message.role != Role::Assistant {
            continue;
        }
        let prompt = template.render(&conversation.first(index), true)?;
        let through = template.render(&conversation.first(index + 1), false)?;
        let parts = prompt
            .after(&done)
            .zip(through.after(&prompt))
            .filter(|_| whole.after(&through).is_some());
        let Some((context, mut answer)) = parts else {
            return Err(ChatError::new(format!(
                "messages[{index}]: the template renders this answer differently when more messages follow, so its tokens cannot be identified; train on conversations that end with it"
            )));
        };
        pieces.extend(piece::of_rendered(&context, false));
        // White space after the end token belongs to the template, not to the answer.
        let trimmed = answer.text.trim_end();
        let written = template.end_token();
        let end = answer.ends.last().copied().or_else(|| {
            written
                .filter(|end| trimmed.ends_with(end))
                .map(|_| trimmed.len())
        });
        answer.text.truncate(end.unwrap_or(answer.text.len()));
        pieces.extend(piece::of_rendered(&answer, true));
        done = Rendered {
            text: prompt.text + &answer.text,
            ends: through.ends,
            ..Rendered::default()
        };
    }
    Ok(pieces)
}
