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
    /// Text that follows each answer, if the template writes the start of the next one whether or not it is asked for.
    behind: String,
    /// Text up to and with an end token that is in `behind`, or that is written only once another message follows.
    next: Option<String>,
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
        let written = written.unwrap_or_default();
        if !written.ids.is_empty() {
            named.push(("the chat template", written.ids));
        }
        let (behind, next) = (written.behind, written.next);
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
                "the end tokens differ: {}; answers of chats are learned with the template's, and sampling stops at each",
                named.join(", ")
            ));
        }
        let written = ids.iter().filter_map(|id| tokenizer.written(*id));
        Self {
            written: written.filter(|text| !text.is_empty()).collect(),
            behind,
            next,
            ids,
            notes,
        }
    }

    /// `rest` up to and with the end of the answer. White space and other control tokens after it belong to the
    /// template. Where the template writes the end only before another message, it is added; all of `rest` if it never
    /// writes one.
    pub(super) fn cut(&self, tokenizer: &Tokenizer, rest: &Rendered) -> Rendered {
        if let Some(&end) = rest.ends.last() {
            return Rendered {
                text: rest.text[..end].to_owned(),
                ..rest.clone()
            };
        }
        let text = rest.text.strip_suffix(&self.behind).unwrap_or(&rest.text);
        let mut left = text.trim_end();
        let mut end = None;
        while let Some(before) = self.before_token(tokenizer, left) {
            if self
                .written
                .iter()
                .any(|written| *written == left[before.len()..])
            {
                end = Some(left.len());
            }
            left = before.trim_end();
        }
        Rendered::text(match (end, &self.next) {
            (Some(end), _) => text[..end].to_owned(),
            (None, Some(next)) => format!("{text}{next}"),
            (None, None) => text.to_owned(),
        })
    }

    /// The text before the end token, or another control token, that it ends with.
    fn before_token<'t>(&self, tokenizer: &Tokenizer, text: &'t str) -> Option<&'t str> {
        let mut ends = self.written.iter();
        ends.find_map(|end| text.strip_suffix(end.as_str()))
            .or_else(|| tokenizer.before_control_token(text))
    }
}

/// The end tokens of a template.
#[derive(Debug, Default)]
struct Written {
    /// The tokens after an answer, and after an answer that calls tools.
    ids: Vec<u32>,
    /// Whether there is one after an answer without calls.
    ends_texts: bool,
    /// See [`Ends::behind`].
    behind: String,
    /// See [`Ends::next`].
    next: Option<String>,
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
    let mut written = Written {
        ends_texts: after_text.is_none(),
        ..Written::default()
    };
    if let Some(answer) = after_text {
        let before = template.render(&plain(Message::assistant("b")).first(1), false);
        if before.is_ok_and(|before| before == answer.prompt) {
            written.behind = common_end(&answer.rest.text, &answer.prompt.text).into();
        }
        let end = end_of(tokenizer, &answer.rest, &written.behind, known);
        let next = || {
            if !written.behind.is_empty() {
                return first_token(tokenizer, &written.behind);
            }
            let mut more = plain(Message::assistant("b"));
            more.messages.push(Message::user("c"));
            let more = template.render(&more, false).ok()?;
            first_token(tokenizer, more.text.strip_prefix(&answer.whole.text)?)
        };
        let (end, next) = match end {
            Some(end) => (Some(end), None),
            None => next().unzip(),
        };
        written.ends_texts = end.is_some();
        written.ids.extend(end);
        written.next = next;
    }
    if let Some(answer) = after_call {
        let known = [known, &written.ids].concat();
        let end = end_of(tokenizer, &answer.rest, &written.behind, &known);
        let end = end.filter(|end| !written.ids.contains(end));
        written.ids.extend(end);
    }
    Some(written)
}

/// The control token with which a text begins, and the text up to and with it.
fn first_token(tokenizer: &Tokenizer, text: &str) -> Option<(u32, String)> {
    let token = tokenizer.control_token_in(text)?;
    let end = text.len() - text.trim_start().strip_prefix(token)?.len();
    let [id] = tokenizer.encode(token).ok()?[..] else {
        return None;
    };
    Some((id, text[..end].to_owned()))
}

/// The text that both end with.
fn common_end<'t>(a: &'t str, b: &str) -> &'t str {
    let pairs = a.chars().rev().zip(b.chars().rev());
    let same = pairs.take_while(|(a, b)| a == b);
    let length: usize = same.map(|(a, _)| a.len_utf8()).sum();
    &a[a.len() - length..]
}

/// The token that ends an answer: the first known one of those behind its text, else the first that is not within the
/// text.
fn end_of(tokenizer: &Tokenizer, rest: &Rendered, behind: &str, known: &[u32]) -> Option<u32> {
    if !rest.ends.is_empty() {
        return tokenizer.end_token();
    }
    let text = rest.text.strip_suffix(behind).unwrap_or(&rest.text);
    let mut left = text.trim_end();
    let mut tokens = Vec::new();
    while let Some(before) = tokenizer.before_control_token(left) {
        let written = &left[before.len()..];
        if let Ok([id]) = tokenizer.encode(written).as_deref() {
            tokens.insert(0, (*id, written));
        }
        left = before.trim_end();
    }
    let is_known = tokens.iter().find(|(id, _)| known.contains(id));
    let is_new = || tokens.iter().find(|(_, written)| !left.contains(written));
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
