//! Tools and calls that a template does not write.

use super::conversation::Conversation;
use super::message::Message;
use crate::error::ChatError;
use crate::json::Json;

/// Refuses tools whose names are not in the prompt: the template has no place for them.
pub(super) fn refuse_unwritten(conversation: &Conversation, prompt: &str) -> Result<(), ChatError> {
    let names = conversation.tools.iter().filter_map(name);
    match first_missing(names, prompt) {
        Some(name) => Err(ChatError::new(format!(
            "the chat template does not write the tool {name:?}, so the model would not see it; use a template for tools, or leave the tools out"
        ))),
        None => Ok(()),
    }
}

/// The first tool that an answer calls and that is not in its text.
pub(super) fn unwritten_call<'m>(message: &'m Message, answer: &str) -> Option<&'m str> {
    let calls = message.tool_calls.iter();
    first_missing(calls.map(|call| call.name.as_str()), answer)
}

fn name(tool: &Json) -> Option<&str> {
    tool.get("function").unwrap_or(tool).get("name")?.as_str()
}

/// The first name that is not in a text. Names with other characters than those of identifiers may be written with
/// escapes, and are not looked for.
fn first_missing<'n>(names: impl Iterator<Item = &'n str>, text: &str) -> Option<&'n str> {
    let is_plain = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    let mut names = names.filter(|name| is_plain(name));
    names.find(|name| !text.contains(name))
}
