//! Conversations of ShareGPT: `conversations` with `from` and `value`.

use super::chat;
use super::message;
use super::tool;
use crate::chat::{Message, Role};
use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::{Fields, embedded};
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// Reads a row with `conversations`.
pub(super) fn read(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let turns = fields.list("conversations")?.into_iter().enumerate();
    let messages = turns.map(|(index, item)| {
        turn(item, notes).map_err(|error| error.within(index).under("conversations"))
    });
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    let conversation = chat::with_columns(messages, &mut fields, notes)?;
    fields.finish("", notes)?;
    Ok(Example::Chat(conversation))
}

fn turn(item: Json, notes: &mut Notes) -> Result<Message, ValueError> {
    let mut fields = Fields::new(item, r#"{"from": "human", "value": "..."}"#)?;
    let from = fields.text("from")?;
    let value = fields.text("value")?;
    let message = match from.as_str() {
        "human" | "user" => Message::user(value),
        "gpt" | "assistant" | "model" | "chatgpt" | "bing" | "bard" => Message::assistant(value),
        "system" => Message::system(value),
        "tool" | "observation" | "function_response" => {
            Message::new(Role::Other("tool".to_owned()), value)
        }
        "function_call" => calls(&value, notes)?,
        _ => {
            return Err(ValueError::new(
                ErrorKind::Value,
                format!("is from {from:?}"),
                "use one of \"human\", \"gpt\", \"system\", \"function_call\" and \"observation\"",
            )
            .at_key("from"));
        }
    };
    message::finish(message, fields, false, notes)
}

/// The message of a call, or of several calls, in JSON.
fn calls(value: &str, notes: &mut Notes) -> Result<Message, ValueError> {
    let wrong = || {
        ValueError::new(
            ErrorKind::Value,
            "has a \"function_call\" that is not JSON",
            r#"write {"name": "...", "arguments": {...}} as the value"#,
        )
        .at_key("value")
    };
    let calls = match embedded(value).ok_or_else(wrong)? {
        Json::Array(calls) => calls,
        call => vec![call],
    };
    if calls.is_empty() {
        return Err(wrong());
    }
    let calls = calls.into_iter();
    let calls = calls
        .map(|call| tool::function_of(call, None, notes).map_err(|error| error.under("value")));
    let mut message = Message::assistant("");
    message.content = None;
    message.tool_calls = calls.collect::<Result<_, _>>()?;
    Ok(message)
}
