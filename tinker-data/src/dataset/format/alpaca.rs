//! Instructions of Alpaca: `instruction`, `input` and `output`.

use super::chat;
use crate::chat::Message;
use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// Reads a row with `instruction` and `output`.
pub(super) fn read(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let mut messages = history(&mut fields)?;
    let mut instruction = fields.text("instruction")?;
    if let Some(input) = fields.optional_text("input")?
        && !input.trim().is_empty()
    {
        notes.convert("\"input\" is joined to \"instruction\" after a blank line");
        instruction.push_str("\n\n");
        instruction.push_str(&input);
    }
    messages.push(Message::user(instruction));
    messages.push(Message::assistant(fields.text("output")?));
    let conversation = chat::with_columns(messages, &mut fields, notes)?;
    fields.finish("", notes)?;
    Ok(Example::Chat(conversation))
}

/// The earlier turns: a list of pairs.
fn history(fields: &mut Fields) -> Result<Vec<Message>, ValueError> {
    let pairs = fields.optional_list("history")?.unwrap_or_default();
    let mut messages = Vec::with_capacity(2 * pairs.len());
    for (index, pair) in pairs.into_iter().enumerate() {
        let [user, assistant] = texts(pair).ok_or_else(|| {
            ValueError::new(
                ErrorKind::Value,
                "is not a pair of texts",
                r#"write ["question", "answer"]"#,
            )
            .within(index)
            .under("history")
        })?;
        messages.push(Message::user(user));
        messages.push(Message::assistant(assistant));
    }
    Ok(messages)
}

fn texts(pair: Json) -> Option<[String; 2]> {
    let Json::Array(pair) = pair else {
        return None;
    };
    match <[Json; 2]>::try_from(pair) {
        Ok([Json::String(user), Json::String(assistant)]) => Some([user, assistant]),
        _ => None,
    }
}
