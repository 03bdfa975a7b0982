//! Conversations for chat templates, of the form of chat files.

use anyhow::Context as _;
use tinker_data::{Conversation, Json, Message, Role, ToolCall};

/// The conversations of the list with their names.
pub(super) fn read(list: &Json) -> anyhow::Result<Vec<(String, Conversation)>> {
    let read = |entry: &Json| {
        let mut conversation = Conversation::default();
        for part in items(entry.get("messages")) {
            conversation.messages.push(message(part)?);
        }
        conversation.tools = items(entry.get("tools")).to_vec();
        Ok((required(entry, "name")?, conversation))
    };
    items(Some(list)).iter().map(read).collect()
}

fn message(entry: &Json) -> anyhow::Result<Message> {
    let role = match required(entry, "role")?.as_str() {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => Role::Other(other.to_owned()),
    };
    let mut message = Message::new(role, "");
    message.content = text(entry, "content");
    message.reasoning = text(entry, "reasoning_content");
    message.tool_call_id = text(entry, "tool_call_id");
    message.name = text(entry, "name");
    for call in items(entry.get("tool_calls")) {
        let function = call.get("function").context("a call has a function")?;
        let arguments = function.get("arguments").context("a call has arguments")?;
        let mut read = ToolCall::new(required(function, "name")?, arguments.clone());
        read.id = text(call, "id");
        message.tool_calls.push(read);
    }
    Ok(message)
}

/// Items of a list; none if there is no list.
pub(super) fn items(list: Option<&Json>) -> &[Json] {
    match list {
        Some(Json::Array(items)) => items,
        _ => &[],
    }
}

/// Text of a key.
pub(super) fn text(entry: &Json, key: &str) -> Option<String> {
    entry.get(key)?.as_str().map(str::to_owned)
}

fn required(entry: &Json, key: &str) -> anyhow::Result<String> {
    text(entry, key).with_context(|| format!("{key} is not a text"))
}
