//! Texts without messages: prompt with completion, question with answer, and text alone.

use super::chat;
use super::message;
use crate::chat::{Message, Role};
use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;

/// Reads a row with `prompt` and `completion`, which may have no text if `allow_empty` is set.
pub(super) fn completion(
    mut fields: Fields,
    allow_empty: bool,
    notes: &mut Notes,
) -> Result<Example, ValueError> {
    let is_chat = |key| fields.get(key).is_some_and(message::is_list);
    if is_chat("prompt") && is_chat("completion") {
        return messages(fields, notes);
    }
    let prompt = fields.text("prompt")?;
    let completion = fields.text("completion")?;
    if completion.trim().is_empty() && !allow_empty {
        return Err(empty("completion"));
    }
    fields.finish("", notes)?;
    Ok(Example::Completion { prompt, completion })
}

/// A prompt and a completion of messages. Only the completion is learned.
fn messages(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let mut all = message::list(fields.list("prompt")?, "prompt", notes)?;
    for message in &mut all {
        if message.role == Role::Assistant {
            message.weight = 0.0;
        }
    }
    all.extend(message::list(
        fields.list("completion")?,
        "completion",
        notes,
    )?);
    let conversation = chat::with_columns(all, &mut fields, notes)?;
    fields.finish("", notes)?;
    Ok(Example::Chat(conversation))
}

/// Reads a row with `question` and `answer` as a turn of the user and one of the assistant.
pub(super) fn question(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let question = Message::user(fields.text("question")?);
    let answer = Message::assistant(fields.text("answer")?);
    let conversation = chat::with_columns(vec![question, answer], &mut fields, notes)?;
    fields.finish("", notes)?;
    Ok(Example::Chat(conversation))
}

/// Reads a row with `text`.
pub(super) fn text(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let text = fields.text("text")?;
    if text.trim().is_empty() {
        return Err(empty("text"));
    }
    fields.finish("", notes)?;
    Ok(Example::Text(text))
}

fn empty(key: &str) -> ValueError {
    ValueError::new(
        ErrorKind::Missing,
        format!("has an empty {key:?}"),
        "add text, or remove the line",
    )
    .at_key(key)
}
