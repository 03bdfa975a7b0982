//! Variables that templates see: the conversation as `transformers` passes it.

use std::collections::BTreeMap;

use minijinja::Value;

use super::json;
use crate::chat::conversation::Conversation;
use crate::chat::message::{Message, ToolCall};
use crate::error::ChatError;
use crate::json::Json;

/// Variables that a template argument cannot set.
const TAKEN: [&str; 3] = ["messages", "tools", "add_generation_prompt"];

/// The variables of one rendering.
pub(super) fn variables(
    conversation: &Conversation,
    special_tokens: &BTreeMap<String, String>,
    args: &[(String, Json)],
    is_prompt: bool,
) -> Result<BTreeMap<String, Value>, ChatError> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value| variables.insert(name.to_owned(), value);
    for (name, token) in special_tokens {
        set(name, Value::from(token.as_str()));
    }
    set("documents", Value::from(()));
    for (name, value) in args.iter().chain(&conversation.template_args) {
        if TAKEN.contains(&name.as_str()) {
            return Err(ChatError::new(format!(
                "{name} is not a template argument, because the conversation determines it"
            )));
        }
        set(name, json::read(value).0);
    }
    set(
        "messages",
        json::list(conversation.messages.iter().map(message)).0,
    );
    set(
        "tools",
        match &conversation.tools[..] {
            [] => Value::from(()),
            tools => json::list(tools.iter().map(json::read)).0,
        },
    );
    set("add_generation_prompt", Value::from(is_prompt));
    Ok(variables)
}

/// A message. A key without a value is left out, as templates expect; reasoning has two names.
fn message(message: &Message) -> (Value, usize) {
    let reasoning = message.reasoning.as_deref();
    let calls = &message.tool_calls;
    let text = |text: Option<&str>| text.map(leaf);
    let keys = [
        ("thinking", text(reasoning)),
        ("role", text(Some(message.role.as_str()))),
        ("content", text(message.content.as_deref())),
        ("reasoning_content", text(reasoning)),
        (
            "tool_calls",
            (!calls.is_empty()).then(|| json::list(calls.iter().map(tool_call))),
        ),
        ("tool_call_id", text(message.tool_call_id.as_deref())),
        ("name", text(message.name.as_deref())),
    ];
    json::dict(
        keys.into_iter()
            .filter_map(|(key, value)| Some((key, value?))),
    )
}

fn tool_call(call: &ToolCall) -> (Value, usize) {
    let function = json::dict([
        ("name", leaf(&call.name)),
        ("arguments", json::read(&call.arguments)),
    ]);
    let id = call.id.as_deref().map(|id| ("id", leaf(id)));
    let rest = [("type", leaf("function")), ("function", function)];
    json::dict(id.into_iter().chain(rest))
}

fn leaf(text: &str) -> (Value, usize) {
    (Value::from(text), 0)
}

/// Steps that a conversation adds to those of its template. Some templates read all messages for each of them.
pub(super) fn steps(conversation: &Conversation) -> u64 {
    let messages = conversation.messages.len() as u64;
    let pairs = messages.saturating_mul(messages);
    (size(conversation) as u64).saturating_add(pairs.saturating_mul(16))
}

/// Bytes of the texts of a conversation, and one for each of its values.
pub(super) fn size(conversation: &Conversation) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let message = |message: &Message| {
        let calls = message.tool_calls.iter();
        let calls = calls.map(|call| call.name.len() + json_size(&call.arguments));
        1 + text(&message.content) + text(&message.reasoning) + calls.sum::<usize>()
    };
    let messages = conversation.messages.iter().map(message).sum::<usize>();
    messages + conversation.tools.iter().map(json_size).sum::<usize>()
}

fn json_size(json: &Json) -> usize {
    1 + match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(json_size).sum(),
        Json::Object(members) => members
            .iter()
            .map(|(key, value)| key.len() + json_size(value))
            .sum(),
        _ => 0,
    }
}
