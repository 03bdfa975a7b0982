//! Dialogues of Glaive: `system` and `chat` as texts with marks of the speakers, and calls of functions in the text.

use super::tool;
use crate::chat::{Conversation, Message, Role, ToolCall};
use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// Marks of the speakers, at the start of a line.
const SPEAKERS: [&str; 3] = ["USER:", "ASSISTANT:", "FUNCTION RESPONSE:"];
/// End of a turn of the assistant.
const END: &str = "<|endoftext|>";
/// Start of a call.
const CALL: &str = "<functioncall>";

/// Reads a row with `chat`.
pub(super) fn read(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let chat = fields.text("chat")?;
    let system = fields.optional_text("system")?.unwrap_or_default();
    let mut conversation = Conversation::default();
    let system = system.trim();
    let system = system.strip_prefix("SYSTEM:").unwrap_or(system).trim();
    let (system, functions) = functions(system);
    if !functions.is_empty() {
        notes.convert("functions in \"system\" are read as \"tools\"");
    }
    conversation.tools = functions.into_iter().map(tool::wrapped).collect();
    if !system.is_empty() {
        conversation.messages.push(Message::system(system));
    }
    for (speaker, text) in turns(&chat)? {
        let message = match speaker {
            "USER:" => Message::user(text),
            "ASSISTANT:" => answer(text, notes)?,
            _ => Message::new(Role::Other("tool".to_owned()), text),
        };
        conversation.messages.push(message);
    }
    fields.finish("", notes)?;
    Ok(Example::Chat(conversation))
}

/// The turns, without their marks.
fn turns(chat: &str) -> Result<Vec<(&'static str, &str)>, ValueError> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in chat.split_inclusive('\n') {
        let speaker = SPEAKERS
            .into_iter()
            .find(|speaker| line.starts_with(speaker));
        starts.extend(speaker.map(|speaker| (at, speaker)));
        at += line.len();
    }
    let before = starts.first().map_or(chat, |(at, _)| &chat[..*at]);
    if starts.is_empty() || !before.trim().is_empty() {
        return Err(wrong("does not start with USER: or ASSISTANT:"));
    }
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([chat.len()]);
    let turns = starts.iter().zip(ends).map(|((at, speaker), end)| {
        let text = chat[at + speaker.len()..end].trim();
        (*speaker, text.strip_suffix(END).unwrap_or(text).trim())
    });
    Ok(turns.collect())
}

/// A turn of the assistant, with the call in it.
fn answer(text: &str, notes: &mut Notes) -> Result<Message, ValueError> {
    let Some((before, call)) = text.split_once(CALL) else {
        return Ok(Message::assistant(text));
    };
    let call = function_call(call.trim(), notes)?;
    let mut message = Message::assistant(before.trim());
    if before.trim().is_empty() {
        message.content = None;
    }
    message.tool_calls = vec![call];
    Ok(message)
}

/// A call whose arguments are JSON in single quotes.
fn function_call(text: &str, notes: &mut Notes) -> Result<ToolCall, ValueError> {
    let parsed = serde_json::from_str::<Json>(text).ok().or_else(|| {
        let (start, end) = (text.find('\'')?, text.rfind('\'')?);
        let arguments = text.get(start + 1..end)?;
        let arguments = [arguments.to_owned(), arguments.replace("\\'", "'")]
            .into_iter()
            .find_map(|text| serde_json::from_str::<Json>(&text).ok())?;
        let call = format!("{}{arguments}{}", &text[..start], &text[end + 1..]);
        serde_json::from_str(&call).ok()
    });
    let call = parsed.ok_or_else(|| wrong("has a <functioncall> that is not JSON"))?;
    tool::function_of(call, None, notes).map_err(|error| error.under("chat"))
}

/// The text before functions, and the functions: JSON objects, one after another.
fn functions(system: &str) -> (&str, Vec<Json>) {
    let start = if system.starts_with('{') {
        Some(0)
    } else {
        system.find("\n{").map(|at| at + 1)
    };
    let Some(start) = start else {
        return (system, Vec::new());
    };
    let objects = serde_json::Deserializer::from_str(&system[start..]).into_iter::<Json>();
    match objects.collect::<Result<Vec<Json>, _>>() {
        Ok(functions) => (system[..start].trim(), functions),
        // Text that only looks like functions stays text.
        Err(_) => (system, Vec::new()),
    }
}

fn wrong(reason: &str) -> ValueError {
    let fix = "write turns as USER: ..., ASSISTANT: ... <|endoftext|> and FUNCTION RESPONSE: ...";
    let reason = format!("has a \"chat\" that {reason}");
    ValueError::new(ErrorKind::Value, reason, fix).at_key("chat")
}
