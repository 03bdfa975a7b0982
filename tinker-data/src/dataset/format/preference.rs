//! Preference pairs: `chosen` and `rejected`, with `prompt` or a common beginning.

use super::chat;
use super::message;
use crate::chat::{Conversation, Message};
use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// The turn of the assistant in texts that hold a whole dialogue.
const ASSISTANT: &str = "\n\nAssistant:";

/// Reads a row with `chosen` and `rejected`.
pub(super) fn read(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    let is_chat = |key| fields.get(key).is_some_and(message::is_list);
    let pair = if is_chat("chosen") || is_chat("rejected") || is_chat("prompt") {
        messages(&mut fields, notes)?
    } else {
        texts(&mut fields)?
    };
    // Data sets keep the chosen conversation again for supervised training.
    if fields.take("messages").is_some() {
        notes.ignore("", "messages");
    }
    fields.finish("", notes)?;
    let [chosen, rejected] = pair.map(Box::new);
    Ok(Example::Preference { chosen, rejected })
}

fn texts(fields: &mut Fields) -> Result<[Example; 2], ValueError> {
    let (chosen, rejected) = (fields.text("chosen")?, fields.text("rejected")?);
    if let Some(prompt) = fields.optional_text("prompt")? {
        return Ok([chosen, rejected].map(|completion| Example::Completion {
            prompt: prompt.clone(),
            completion,
        }));
    }
    let beginning = common_beginning(&chosen, &rejected);
    let end = beginning
        .rfind(ASSISTANT)
        .map(|at| at + ASSISTANT.len())
        .or_else(|| beginning.rfind('\n').map(|at| at + 1));
    let Some(end) = end else {
        return Err(no_beginning("a line"));
    };
    Ok([chosen, rejected].map(|text| {
        let (prompt, completion) = text.split_at(end);
        Example::Completion {
            prompt: prompt.to_owned(),
            completion: completion.to_owned(),
        }
    }))
}

fn common_beginning<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let at = (0..=same).rev().find(|at| a.is_char_boundary(*at));
    &a[..at.unwrap_or_default()]
}

fn messages(fields: &mut Fields, notes: &mut Notes) -> Result<[Example; 2], ValueError> {
    let prompt = match fields.get("prompt") {
        Some(Json::String(_)) => Some(vec![Message::user(fields.text("prompt")?)]),
        Some(_) => Some(message::list(fields.list("prompt")?, "prompt", notes)?),
        None => None,
    };
    let mut chosen = side(fields, "chosen", notes)?;
    let mut rejected = side(fields, "rejected", notes)?;
    let shared = if let Some(prompt) = &prompt {
        for answers in [&mut chosen, &mut rejected] {
            if !begins_with(answers, prompt) {
                answers.splice(..0, prompt.iter().cloned());
            }
        }
        prompt.len()
    } else {
        let pairs = chosen.iter().zip(&rejected);
        pairs.take_while(|(a, b)| a == b).count()
    };
    if shared == 0 {
        return Err(no_beginning("a message"));
    }
    let mut columns = chat::with_columns(Vec::new(), fields, notes)?;
    for message in &mut columns.messages {
        message.weight = 0.0;
    }
    let example = |key: &str, mut messages: Vec<Message>| {
        if messages.len() <= shared {
            return Err(ValueError::new(
                ErrorKind::Missing,
                format!("has no answer in {key:?} after the common beginning"),
                "add the answer of the assistant",
            )
            .at_key(key));
        }
        let mut answers = messages[shared..].iter();
        if answers.any(|message| message.weight.to_bits() != 1_f32.to_bits()) {
            return Err(ValueError::new(
                ErrorKind::Unsupported,
                format!("has a weight in {key:?}, which would be lost"),
                "remove the weights; the answers of a pair are compared as a whole",
            )
            .at_key(key));
        }
        for message in &mut messages[..shared] {
            message.weight = 0.0;
        }
        let mut conversation = Conversation::from([columns.messages.clone(), messages].concat());
        conversation.tools.clone_from(&columns.tools);
        conversation
            .template_args
            .clone_from(&columns.template_args);
        Ok(Example::Chat(conversation))
    };
    Ok([example("chosen", chosen)?, example("rejected", rejected)?])
}

/// The messages of one side; a text is an answer of the assistant.
fn side(fields: &mut Fields, key: &str, notes: &mut Notes) -> Result<Vec<Message>, ValueError> {
    match fields.get(key) {
        Some(Json::String(_)) => Ok(vec![Message::assistant(fields.text(key)?)]),
        Some(object @ Json::Object(_)) => {
            let item = object.clone();
            fields.take(key);
            message::list(vec![item], key, notes)
        }
        _ => message::list(fields.list(key)?, key, notes),
    }
}

/// Whether the messages begin with the prompt, by role and text.
fn begins_with(messages: &[Message], prompt: &[Message]) -> bool {
    let same = |(a, b): (&Message, &Message)| a.role == b.role && a.text() == b.text();
    messages.len() >= prompt.len() && messages.iter().zip(prompt).all(same)
}

fn no_beginning(of: &str) -> ValueError {
    ValueError::new(
        ErrorKind::Missing,
        format!("has no \"prompt\", and \"chosen\" and \"rejected\" do not share {of} at their beginning"),
        "add \"prompt\"",
    )
    .at_key("chosen")
}
