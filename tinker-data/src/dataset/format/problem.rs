//! Problems for reinforcement learning: `prompt` or `messages`, `answer`, and metadata.

use super::chat;
use super::message;
use crate::chat::Message;
use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::prompt::Prompt;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// Reads a row with `prompt`, `messages` or `question`. Everything that is not used is metadata.
pub(super) fn read(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let key = ["messages", "prompt", "question"]
        .into_iter()
        .find(|key| fields.has(key))
        .unwrap_or("prompt");
    let prompt = match (key, fields.get(key)) {
        ("question", Some(Json::String(_))) => {
            let message = Message::user(fields.text(key)?);
            Prompt::Chat(chat::with_columns(vec![message], &mut fields, notes)?)
        }
        ("prompt", Some(Json::String(_)) | None) => Prompt::Text(fields.text(key)?),
        (_, Some(list @ Json::Array(items))) if !items.is_empty() && !message::is_list(list) => {
            return Err(ValueError::new(
                ErrorKind::Value,
                format!("has a list as {key:?} that holds no messages"),
                r#"give a text, or messages: [{"role": "user", "content": "..."}]"#,
            )
            .at_key(key));
        }
        _ => Prompt::Chat(chat::conversation(&mut fields, key, notes)?),
    };
    if let Prompt::Chat(conversation) = &prompt
        && conversation.messages.is_empty()
    {
        return Err(ValueError::new(
            ErrorKind::Missing,
            format!("has no message in {key:?}"),
            "add a message of the user",
        )
        .at_key(key));
    }
    fields.refuse_media()?;
    let answer = fields.take("answer");
    Ok(Example::Problem {
        prompt,
        answer,
        metadata: fields.rest(),
    })
}
