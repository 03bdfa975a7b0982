//! The tokens that end an answer.

use super::answer;
use super::conversation::Conversation;
use super::message::Message;
use super::rendered::Rendered;
use super::template::Template;
use crate::error::ChatError;
use crate::tokenizer::Tokenizer;

/// The tokens that end an answer: those that the model's files name, and the one that the template writes.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// All of them, without repeats.
    pub(super) ids: Vec<u32>,
    /// Written forms, where they have one.
    pub(super) written: Vec<String>,
    /// Notes for the user about them.
    pub(super) notes: Vec<String>,
}

impl Ends {
    pub(super) fn new(tokenizer: &Tokenizer, template: &Template) -> Self {
        let mut named = tokenizer.ends();
        let mut notes = Vec::new();
        for (file, _) in named.iter().filter(|(_, ids)| ids.is_empty()) {
            notes.push(format!("{file} names no end token in eos_token_id"));
        }
        named.retain(|(_, ids)| !ids.is_empty());
        let written = written_by(tokenizer, template);
        if matches!(written, Ok(None)) {
            notes.push(
                "the chat template writes no end token after an answer, so the model does not learn to stop".to_owned(),
            );
        }
        let written = written.ok().flatten();
        named.extend(written.map(|id| ("the chat template", vec![id])));
        let mut ids: Vec<u32> = Vec::new();
        for id in named.iter().flat_map(|(_, ids)| ids) {
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
        if ids.is_empty() {
            notes.push("no end token is named, so answers end at the limit of tokens".to_owned());
        }
        let differ = |(_, other): &(_, Vec<u32>)| !ids.iter().all(|id| other.contains(id));
        if named.iter().any(differ) {
            let show = |(file, ids): &(&str, Vec<u32>)| format!("{file} {}", list(tokenizer, ids));
            let named: Vec<String> = named.iter().map(show).collect();
            notes.push(format!(
                "the end tokens differ: {}; answers are learned with the template's, and sampling stops at each",
                named.join(", ")
            ));
        }
        let written = ids.iter().filter_map(|id| tokenizer.written(*id));
        Self {
            written: written.filter(|text| !text.is_empty()).collect(),
            ids,
            notes,
        }
    }

    /// `rest` up to and with the end of the answer. White space and other control tokens after it belong to the
    /// template. All of `rest` if the template writes no end token.
    pub(super) fn cut(&self, tokenizer: &Tokenizer, rest: &Rendered) -> Rendered {
        if let Some(&end) = rest.ends.last() {
            return Rendered {
                text: rest.text[..end].to_owned(),
                ..rest.clone()
            };
        }
        let mut left = rest.text.trim_end();
        let mut end = rest.text.len();
        while let Some(before) = self.before_token(tokenizer, left) {
            if self
                .written
                .iter()
                .any(|written| *written == left[before.len()..])
            {
                end = left.len();
            }
            left = before.trim_end();
        }
        Rendered {
            text: rest.text[..end].to_owned(),
            ..Rendered::default()
        }
    }

    /// The text before the end token, or another control token, that it ends with.
    fn before_token<'t>(&self, tokenizer: &Tokenizer, text: &'t str) -> Option<&'t str> {
        let mut ends = self.written.iter();
        ends.find_map(|end| text.strip_suffix(end.as_str()))
            .or_else(|| tokenizer.before_control_token(text))
    }
}

/// The token that the template writes after an answer, found with a short conversation. An error if the template does
/// not accept that.
fn written_by(tokenizer: &Tokenizer, template: &Template) -> Result<Option<u32>, ChatError> {
    let probe: Conversation = [Message::user("a"), Message::assistant("b")].into();
    let answer = answer::find(template, &probe, 1)?;
    if !answer.rest.ends.is_empty() {
        return Ok(tokenizer.end_token());
    }
    let mut left = answer.rest.text.trim_end();
    let mut first = None;
    while let Some(before) = tokenizer.before_control_token(left) {
        first = Some(&left[before.len()..]);
        left = before.trim_end();
    }
    let tokens = first.map(|token| tokenizer.encode(token)).transpose()?;
    Ok(tokens
        .and_then(|tokens| <[u32; 1]>::try_from(tokens).ok())
        .map(|[id]| id))
}

/// Tokens for people: `<|im_end|> (151645)`.
fn list(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let show = |id: &u32| match tokenizer.written(*id) {
        Some(text) => format!("{text} ({id})"),
        None => id.to_string(),
    };
    let ids: Vec<String> = ids.iter().map(show).collect();
    ids.join(" and ")
}
