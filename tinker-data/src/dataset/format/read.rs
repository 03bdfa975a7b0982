//! Choice of the reader of a row.

use super::kind::Format;
use super::{alpaca, chat, glaive, message, plain, preference, problem, sharegpt, tokens};
use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::options::ReadOptions;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// Keys of a row that an error message names.
const NAMED: usize = 12;

/// How rows are understood: a fixed format, or the one that fits the keys of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reader {
    /// The format of all rows.
    fixed: Option<Format>,
    /// The format of the row before, for errors of rows that fit none.
    last: Option<Format>,
    allow_empty: bool,
}

impl Reader {
    /// A reader of rows in the format of the options, or in any.
    pub(crate) fn new(options: &ReadOptions) -> Self {
        Self {
            fixed: options.format,
            last: None,
            allow_empty: options.allow_empty,
        }
    }

    /// Reads a row.
    pub(crate) fn read(&mut self, row: Json, notes: &mut Notes) -> Result<Example, ValueError> {
        let expected = "one object for each row";
        let fields = Fields::new(row, expected)?;
        let format = match self.fixed.or_else(|| detect(&fields)) {
            Some(format) => format,
            None => self.last.map_or_else(|| Err(unknown(&fields)), Ok)?,
        };
        let example = match format {
            Format::PromptCompletion => plain::completion(fields, self.allow_empty, notes),
            Format::Chat => chat::read(fields, notes),
            Format::ShareGpt => sharegpt::read(fields, notes),
            Format::Alpaca => alpaca::read(fields, notes),
            Format::Glaive => glaive::read(fields, notes),
            Format::QuestionAnswer => plain::question(fields, notes),
            Format::Text => plain::text(fields, notes),
            Format::Preference => preference::read(fields, notes),
            Format::Rl => problem::read(fields, notes),
            Format::Tokens => tokens::read(fields, notes),
        }?;
        self.last = Some(format);
        notes.format(format);
        Ok(example)
    }
}

/// The format that the keys of a row belong to.
fn detect(fields: &Fields) -> Option<Format> {
    let has = |key| fields.has(key);
    let is_chat = |key| fields.get(key).is_some_and(message::is_list);
    if has("tokens") || has("input_ids") || has("model_input") {
        Some(Format::Tokens)
    } else if has("chosen") && has("rejected") {
        Some(Format::Preference)
    } else if has("messages") {
        let is_problem = has("answer") && fields.get("messages").is_some_and(is_open);
        Some(if is_problem { Format::Rl } else { Format::Chat })
    } else if has("conversations") {
        Some(if is_chat("conversations") {
            Format::Chat
        } else {
            Format::ShareGpt
        })
    } else if has("instruction") && has("output") {
        Some(Format::Alpaca)
    } else if fields.get("chat").and_then(Json::as_str).is_some() {
        Some(Format::Glaive)
    } else if has("prompt") && has("completion") {
        Some(Format::PromptCompletion)
    } else if has("prompt") && (has("answer") || is_chat("prompt")) {
        Some(Format::Rl)
    } else if has("question") && has("answer") {
        Some(Format::QuestionAnswer)
    } else if has("text") {
        Some(Format::Text)
    } else if has("prompt") || has("completion") {
        Some(Format::PromptCompletion)
    } else {
        None
    }
}

/// Whether the last message is not of the assistant.
fn is_open(messages: &Json) -> bool {
    let Json::Array(messages) = messages else {
        return false;
    };
    let last = messages.last().and_then(|message| message.get("role"));
    last.is_some_and(|role| role.as_str() != Some("assistant"))
}

fn unknown(fields: &Fields) -> ValueError {
    let names: Vec<String> = fields
        .keys()
        .take(NAMED)
        .map(|key| format!("{key:.40?}"))
        .collect();
    let reason = if names.is_empty() {
        "has no keys".to_owned()
    } else {
        format!("has keys of no known format: {}", names.join(", "))
    };
    ValueError::new(ErrorKind::Format, reason, forms())
}

/// The formats with an example each, for error messages.
pub(crate) fn forms() -> String {
    let forms = Format::ALL.map(|format| format!("\n      {}", format.sample()));
    format!(
        "write one JSON object per line, in one of these forms:{}",
        forms.concat()
    )
}
