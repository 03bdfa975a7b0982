//! Examples as JSON, in the form in which they can be read again.

use tinker_types::Datum;

use super::example::Example;
use super::format::Format;
use super::prompt::Prompt;
use crate::chat::{Conversation, Message, Role, ToolCall, parts};
use crate::json::Json;

impl Example {
    /// The format that reads [`Self::to_json`].
    pub fn format(&self) -> Format {
        match self {
            Self::Completion { .. } => Format::PromptCompletion,
            Self::Chat(_) => Format::Chat,
            Self::Text(_) => Format::Text,
            Self::Preference { .. } => Format::Preference,
            Self::Problem { .. } => Format::Rl,
            Self::Tokens(_) => Format::Tokens,
        }
    }

    /// The example as one row of a data file.
    ///
    /// ```
    /// use tinker_data::Dataset;
    ///
    /// let alpaca = br#"{"instruction": "Big?", "output": "small"}"#;
    /// let row = Dataset::parse("x.jsonl", alpaca)?.rows.remove(0);
    /// assert_eq!(
    ///     row.example.to_json().to_string(),
    ///     r#"{"messages":[{"role":"user","content":"Big?"},{"role":"assistant","content":"small"}]}"#,
    /// );
    /// # Ok::<(), tinker_data::DatasetError>(())
    /// ```
    pub fn to_json(&self) -> Json {
        match self {
            Self::Completion { prompt, completion } => object([
                ("prompt", prompt.as_str().into()),
                ("completion", completion.as_str().into()),
            ]),
            Self::Chat(conversation) => chat("messages", conversation),
            Self::Text(text) => object([("text", text.as_str().into())]),
            Self::Preference { chosen, rejected } => preference(chosen, rejected),
            Self::Problem {
                prompt,
                answer,
                metadata,
            } => problem(prompt, answer.as_ref(), metadata),
            Self::Tokens(datum) => tokens(datum),
        }
    }
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    let members = members.into_iter();
    Json::Object(
        members
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn push(object: &mut Json, key: &str, value: Json) {
    if let Json::Object(members) = object {
        members.push((key.to_owned(), value));
    }
}

/// A conversation with its messages under `key`.
fn chat(key: &str, conversation: &Conversation) -> Json {
    let messages = conversation.messages.iter().map(message).collect();
    let mut row = object([(key, Json::Array(messages))]);
    columns(&mut row, conversation);
    row
}

fn columns(row: &mut Json, conversation: &Conversation) {
    if !conversation.tools.is_empty() {
        push(row, "tools", Json::Array(conversation.tools.clone()));
    }
    if !conversation.template_args.is_empty() {
        let arguments = Json::Object(conversation.template_args.clone());
        push(row, "chat_template_kwargs", arguments);
    }
}

fn message(message: &Message) -> Json {
    let content = message.content.as_deref().map_or(Json::Null, Json::from);
    let mut row = object([("role", message.role.as_str().into()), ("content", content)]);
    for (key, text) in [
        ("reasoning_content", &message.reasoning),
        ("tool_call_id", &message.tool_call_id),
        ("name", &message.name),
    ] {
        if let Some(text) = text {
            push(&mut row, key, text.as_str().into());
        }
    }
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(call).collect();
        push(&mut row, "tool_calls", Json::Array(calls));
    }
    if message.weight.to_bits() != 1_f32.to_bits() && message.role == Role::Assistant {
        push(&mut row, "weight", number(message.weight));
    }
    row
}

fn call(call: &ToolCall) -> Json {
    let mut row = object([]);
    if let Some(id) = &call.id {
        push(&mut row, "id", id.as_str().into());
    }
    push(&mut row, "type", "function".into());
    let function = object([
        ("name", call.name.as_str().into()),
        ("arguments", call.arguments.clone()),
    ]);
    push(&mut row, "function", function);
    row
}

/// A pair with whole conversations, or with the texts after the prompt.
fn preference(chosen: &Example, rejected: &Example) -> Json {
    match (chosen, rejected) {
        (
            Example::Completion { prompt, completion },
            Example::Completion {
                completion: rejected,
                ..
            },
        ) => object([
            ("prompt", prompt.as_str().into()),
            ("chosen", completion.as_str().into()),
            ("rejected", rejected.as_str().into()),
        ]),
        (Example::Chat(chosen), Example::Chat(rejected)) => {
            let is_context = |message: &&Message| message.weight <= 0.0;
            let shared = chosen.messages.iter().take_while(is_context).count();
            let list = |messages: &[Message]| Json::Array(messages.iter().map(context).collect());
            let mut row = object([
                ("prompt", list(&chosen.messages[..shared])),
                ("chosen", list(&chosen.messages)),
                ("rejected", list(&rejected.messages)),
            ]);
            columns(&mut row, chosen);
            row
        }
        // Readers make no other pairs.
        (chosen, rejected) => object([
            ("chosen", chosen.to_json()),
            ("rejected", rejected.to_json()),
        ]),
    }
}

/// A message without its weight, which its place in a pair determines.
fn context(original: &Message) -> Json {
    let mut copy = original.clone();
    copy.weight = 1.0;
    message(&copy)
}

fn problem(prompt: &Prompt, answer: Option<&Json>, metadata: &[(String, Json)]) -> Json {
    let mut row = match prompt {
        Prompt::Text(text) => object([("prompt", text.as_str().into())]),
        Prompt::Chat(conversation) => {
            // The key by which the row is known as a problem again, whatever its metadata are.
            let last = conversation.messages.last();
            let is_open = last.is_some_and(|message| message.role != Role::Assistant);
            chat(
                if is_open && answer.is_some() {
                    "messages"
                } else {
                    "prompt"
                },
                conversation,
            )
        }
    };
    if let Some(answer) = answer {
        push(&mut row, "answer", answer.clone());
    }
    for (key, value) in metadata {
        push(&mut row, key, value.clone());
    }
    row
}

/// Tokens with their weights; the JSON of the datum if it has other inputs.
fn tokens(datum: &Datum) -> Json {
    weighted(datum).unwrap_or_else(|| {
        let json = serde_json::to_string(datum).ok();
        let json = json.and_then(|json| serde_json::from_str(&json).ok());
        json.unwrap_or_default()
    })
}

fn weighted(datum: &Datum) -> Option<Json> {
    let (tokens, weights) = parts(datum)?;
    // Only ids that fit the wire.
    if tokens.iter().any(|token| i32::try_from(*token).is_err()) {
        return None;
    }
    let tokens = tokens.into_iter().map(|token| Json::Number(token.into()));
    let weights = weights.into_iter().map(number);
    Some(object([
        ("tokens", Json::Array(tokens.collect())),
        ("weights", Json::Array(weights.collect())),
    ]))
}

/// A number as short as it can be written.
fn number(value: f32) -> Json {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        return Json::Number((value as i64).into());
    }
    // The shortest digits that give the same 32 bits back.
    let number = value
        .to_string()
        .parse()
        .ok()
        .and_then(serde_json::Number::from_f64);
    number.map_or(Json::Null, Json::Number)
}
