//! The tokens that end an answer.

use super::answer;
use super::conversation::Conversation;
use super::message::{Message, ToolCall};
use super::rendered::Rendered;
use super::template::Template;
use crate::json::Json;
use crate::tokenizer::Tokenizer;

/// Name of a tool that is called to see how the template ends calls.
const TOOL: &str = "get_time";

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
        let known: Vec<u32> = named.iter().flat_map(|(_, ids)| ids).copied().collect();
        let written = written_by(tokenizer, template, &known);
        if written.as_ref().is_some_and(|written| !written.ends_texts) {
            notes.push(
                "the chat template writes no end token after an answer, so the model does not learn to stop".to_owned(),
            );
        }
        let written = written.map_or_else(Vec::new, |written| written.ids);
        if !written.is_empty() {
            named.push(("the chat template", written));
        }
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

/// The end tokens of a template.
#[derive(Debug)]
struct Written {
    /// The tokens after an answer, and after an answer that calls tools.
    ids: Vec<u32>,
    /// Whether there is one after an answer without calls.
    ends_texts: bool,
}

/// The tokens that the template writes after an answer, and after an answer that calls tools, found with short
/// conversations. `None` if the template accepts none of these. `known` are the tokens that the files of the model name.
fn written_by(tokenizer: &Tokenizer, template: &Template, known: &[u32]) -> Option<Written> {
    let question = Message::user("a");
    let text = Message::assistant("b");
    let mut call = Message::assistant("");
    call.tool_calls = vec![ToolCall::new(TOOL, Json::Object(Vec::new()))];
    call.tool_calls[0].id = Some("call00001".to_owned());
    let mut calls = call.clone();
    calls.tool_calls.extend(call.tool_calls.clone());
    calls.tool_calls[1].id = Some("call00002".to_owned());
    let plain = |answer| Conversation::from([question.clone(), answer]);
    let with_tool = |answer| Conversation {
        tools: vec![tool()],
        ..plain(answer)
    };
    let first = |probes: [Conversation; 2]| {
        let mut answers = probes.iter().map(|probe| answer::find(template, probe, 1));
        answers.find_map(Result::ok)
    };
    let after_text = first([plain(text.clone()), with_tool(text)]);
    let after_call = first([with_tool(calls), with_tool(call)]);
    if after_text.is_none() && after_call.is_none() {
        return None;
    }
    let end = after_text.map(|answer| end_of(tokenizer, &answer.rest, known));
    let mut ids: Vec<u32> = end.flatten().into_iter().collect();
    if let Some(answer) = after_call {
        let known = [known, &ids].concat();
        let end = end_of(tokenizer, &answer.rest, &known);
        ids.extend(end.filter(|end| !ids.contains(end)));
    }
    Some(Written {
        ids,
        ends_texts: end != Some(None),
    })
}

/// The token that ends an answer: the first known one of those behind its text, else the first that is not within the
/// text.
fn end_of(tokenizer: &Tokenizer, rest: &Rendered, known: &[u32]) -> Option<u32> {
    if !rest.ends.is_empty() {
        return tokenizer.end_token();
    }
    let mut left = rest.text.trim_end();
    let mut behind = Vec::new();
    while let Some(before) = tokenizer.before_control_token(left) {
        let written = &left[before.len()..];
        if let Ok([id]) = tokenizer.encode(written).as_deref() {
            behind.insert(0, (*id, written));
        }
        left = before.trim_end();
    }
    let is_known = behind.iter().find(|(id, _)| known.contains(id));
    let is_new = || behind.iter().find(|(_, written)| !left.contains(written));
    is_known.or_else(is_new).map(|(id, _)| *id)
}

/// A tool to call.
fn tool() -> Json {
    let object = |members: Vec<(&str, Json)>| {
        let members = members.into_iter();
        Json::Object(
            members
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    };
    let parameters = object(vec![
        ("type", "object".into()),
        ("properties", object(Vec::new())),
    ]);
    let function = object(vec![
        ("name", TOOL.into()),
        ("description", TOOL.into()),
        ("parameters", parameters),
    ]);
    object(vec![("type", "function".into()), ("function", function)])
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
