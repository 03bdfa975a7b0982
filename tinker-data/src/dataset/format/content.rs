//! Contents of messages: text, `null`, or a list of parts.

use crate::dataset::error::ErrorKind;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// The text of a message and the reasoning among its parts.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) text: Option<String>,
    pub(super) reasoning: Option<String>,
}

/// Reads the value of `content`.
pub(super) fn read(value: Option<Json>, notes: &mut Notes) -> Result<Content, ValueError> {
    let parts = match value {
        None => return Ok(Content::default()),
        Some(Json::String(text)) => {
            return Ok(Content {
                text: Some(text),
                reasoning: None,
            });
        }
        Some(Json::Array(parts)) => parts,
        Some(other) => {
            return Err(ValueError::new(
                ErrorKind::Value,
                format!("has {} as \"content\", not text", other.kind()),
                "write the value of \"content\" as text in quotes",
            )
            .at_key("content"));
        }
    };
    let mut content = Content {
        text: Some(String::new()),
        reasoning: None,
    };
    for (index, part) in parts.into_iter().enumerate() {
        add(part, &mut content, notes).map_err(|error| error.within(index).under("content"))?;
    }
    Ok(content)
}

/// Appends a part.
fn add(part: Json, content: &mut Content, notes: &mut Notes) -> Result<(), ValueError> {
    if let Json::String(text) = part {
        content.text.get_or_insert_default().push_str(&text);
        return Ok(());
    }
    let mut fields = Fields::new(part, r#"{"type": "text", "text": "..."}"#)?;
    let kind = fields.text("type")?;
    match kind.as_str() {
        "text" | "input_text" | "output_text" => {
            let text = fields.text("text")?;
            content.text.get_or_insert_default().push_str(&text);
        }
        "thinking" | "reasoning" => {
            let text = match fields.optional_text("thinking")? {
                Some(text) => text,
                None => fields.text("text")?,
            };
            content.reasoning.get_or_insert_default().push_str(&text);
        }
        _ => {
            return Err(ValueError::new(
                ErrorKind::Unsupported,
                format!("has the type {kind:?}"),
                "remove the part or the row; only parts of text are supported",
            )
            .at_key("type"));
        }
    }
    fields.finish("messages.content", notes)
}
