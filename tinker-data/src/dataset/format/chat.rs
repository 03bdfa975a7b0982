//! Conversations: `messages`, as OpenAI and Hugging Face write them.

use super::message;
use super::tool;
use crate::chat::{Conversation, Message, Role};
use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// Reads a row with `messages`, or with messages under `conversations`.
pub(super) fn read(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let is_other = !fields.has("messages") && fields.has("conversations");
    let key = if is_other {
        "conversations"
    } else {
        "messages"
    };
    let conversation = conversation(&mut fields, key, notes)?;
    repeated_text(&mut fields, "prompt", &conversation.messages)?;
    repeated_text(&mut fields, "completion", &conversation.messages)?;
    fields.finish("", notes)?;
    Ok(Example::Chat(conversation))
}

/// Takes the conversation under `key` with its tools, system message and template arguments.
pub(super) fn conversation(
    fields: &mut Fields,
    key: &str,
    notes: &mut Notes,
) -> Result<Conversation, ValueError> {
    let messages = message::list(fields.list(key)?, key, notes)?;
    with_columns(messages, fields, notes)
}

/// Adds the columns beside the messages.
pub(super) fn with_columns(
    mut messages: Vec<Message>,
    fields: &mut Fields,
    notes: &mut Notes,
) -> Result<Conversation, ValueError> {
    let system = fields.optional_text("system")?;
    if let Some(system) = system.filter(|text| !text.is_empty()) {
        match messages.first().filter(|first| first.role == Role::System) {
            Some(first) if first.text() == system => {}
            Some(_) => {
                return Err(ValueError::new(
                    ErrorKind::Value,
                    "has \"system\" beside another system message",
                    "keep one of them",
                )
                .at_key("system"));
            }
            None => messages.insert(0, Message::system(system)),
        }
    }
    let mut conversation = Conversation::from(messages);
    conversation.tools = tool::tools(fields, notes)?;
    conversation.template_args = match fields.take("chat_template_kwargs") {
        None => Vec::new(),
        Some(Json::Object(arguments)) => arguments,
        Some(other) => {
            return Err(ValueError::new(
                ErrorKind::Value,
                format!(
                    "has {} as \"chat_template_kwargs\", not an object",
                    other.kind()
                ),
                "give an object: {\"enable_thinking\": false}",
            )
            .at_key("chat_template_kwargs"));
        }
    };
    Ok(conversation)
}

/// Takes a column that repeats a message, as in data sets that keep the prompt beside the conversation.
fn repeated_text(fields: &mut Fields, key: &str, messages: &[Message]) -> Result<(), ValueError> {
    let same = |text: &str| {
        messages
            .iter()
            .any(|message| message.text().trim() == text.trim())
    };
    match fields.take(key) {
        None => Ok(()),
        Some(Json::String(text)) if text.is_empty() || same(&text) => Ok(()),
        Some(list @ Json::Array(_)) if message::is_list(&list) => Ok(()),
        Some(_) => Err(ValueError::new(
            ErrorKind::Value,
            format!("has {key:?} beside \"messages\", and no message is equal to it"),
            format!("remove {key:?}, or write it as a message"),
        )
        .at_key(key)),
    }
}
