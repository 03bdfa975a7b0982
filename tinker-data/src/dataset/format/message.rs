//! Messages in the form of OpenAI and of Hugging Face.

use super::content;
use super::learned;
use super::tool;
use crate::chat::{Message, Role};
use crate::dataset::error::ErrorKind;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// Reads the messages under `key`.
pub(super) fn list(
    items: Vec<Json>,
    key: &str,
    notes: &mut Notes,
) -> Result<Vec<Message>, ValueError> {
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| read(item, notes).map_err(|error| error.within(index).under(key)))
        .collect()
}

/// Whether a value is a list of messages, rather than of anything else.
pub(super) fn is_list(value: &Json) -> bool {
    match value {
        Json::Array(items) => items.first().is_some_and(|item| item.get("role").is_some()),
        _ => false,
    }
}

fn read(item: Json, notes: &mut Notes) -> Result<Message, ValueError> {
    let mut fields = Fields::new(item, r#"{"role": "...", "content": "..."}"#)?;
    let role = role(&fields.text("role")?, notes)?;
    let calls = tool::calls(&mut fields, notes)?;
    let is_missing = !fields.has("content");
    let content = content::read(fields.take("content"), notes)?;
    let mut message = Message::new(role, "");
    message.content = content.text;
    message.reasoning = content.reasoning;
    message.tool_calls = calls;
    finish(message, fields, is_missing, notes)
}

/// Takes what messages of all dialects have in common.
pub(super) fn finish(
    mut message: Message,
    mut fields: Fields,
    is_missing: bool,
    notes: &mut Notes,
) -> Result<Message, ValueError> {
    for key in ["reasoning_content", "reasoning", "thinking"] {
        let Some(text) = fields.optional_text(key)? else {
            continue;
        };
        if message
            .reasoning
            .as_ref()
            .is_some_and(|other| *other != text)
        {
            return Err(ValueError::new(
                ErrorKind::Value,
                format!("has {key:?} beside another reasoning"),
                "keep one of them",
            )
            .at_key(key));
        }
        message.reasoning = Some(text);
    }
    if is_missing && message.tool_calls.is_empty() && message.reasoning.is_none() {
        return Err(ValueError::new(
            ErrorKind::Missing,
            "has no \"content\"",
            "add \"content\" with a text; only calls of tools can stand without one",
        )
        .at_key("content"));
    }
    if !message.tool_calls.is_empty() && message.role != Role::Assistant {
        return Err(ValueError::new(
            ErrorKind::Value,
            format!("has calls of tools in the role {:?}", message.role.as_str()),
            "only the assistant calls tools; correct the role",
        )
        .at_key("tool_calls"));
    }
    message.tool_call_id = fields.optional_text("tool_call_id")?;
    message.name = fields.optional_text("name")?;
    message.weight = learned::weight(&mut fields, &message.role)?;
    fields.finish("messages", notes)?;
    Ok(message)
}

fn role(name: &str, notes: &mut Notes) -> Result<Role, ValueError> {
    Ok(match name {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "developer" => {
            notes.convert("the role \"developer\" is read as \"system\"");
            Role::System
        }
        "function" => {
            notes.convert("the role \"function\" is read as \"tool\"");
            Role::Other("tool".to_owned())
        }
        "" => {
            return Err(ValueError::new(
                ErrorKind::Missing,
                "has an empty \"role\"",
                "use one of \"system\", \"user\", \"assistant\" and \"tool\"",
            )
            .at_key("role"));
        }
        // Templates decide which other roles they take.
        other => Role::Other(other.to_owned()),
    })
}
