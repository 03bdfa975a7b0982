//! One line: a prompt with its completion, or a conversation.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use tinker_client::chat::{Message, Role};

use super::Fault;

/// The forms a line can have, for messages.
pub(super) const FORMS: &str = r#"write one JSON object per line, in one of these forms:
      {"prompt": "...", "completion": "..."}
      {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}"#;

/// What one line teaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Example {
    /// To write `completion` after `prompt`. Nothing is put between them.
    Completion { prompt: String, completion: String },
    /// To write each of the assistant's turns after what stands before it.
    Chat(Vec<Message>),
}

/// The roles a conversation has here.
const ROLES: [Role; 3] = [Role::System, Role::User, Role::Assistant];

/// Reads one line that is not blank.
pub(super) fn parse(text: &str) -> Result<Example, Fault> {
    let fields: Fields = serde_json::from_str(text).map_err(|error| malformed(text, &error))?;
    fields.refuse_repeated("")?;
    let has = |key: &str| fields.0.iter().any(|(name, _)| name == key);
    if has("messages") {
        if let Some(key) = ["prompt", "completion"].into_iter().find(|key| has(key)) {
            return Err(Fault::new(
                format!("has both \"messages\" and {key:?}"),
                "keep one form: \"messages\" alone, or \"prompt\" with \"completion\"",
            ));
        }
        fields.refuse_unknown(&["messages"], "")?;
        return conversation(fields.get("messages"));
    }
    fields.refuse_unknown(&["prompt", "completion", "messages"], "")?;
    if !has("prompt") && !has("completion") {
        return Err(Fault::new("has no \"prompt\" and no \"messages\"", FORMS));
    }
    let prompt = fields.text("prompt", "")?;
    let completion = fields.text("completion", "")?;
    Ok(Example::Completion { prompt, completion })
}

fn conversation(value: Option<&Value>) -> Result<Example, Fault> {
    let Some(Value::Array(turns)) = value else {
        return Err(Fault::new(
            format!("\"messages\" is {}, not a list", kind(value)),
            r#"give a list of objects, each {"role": "...", "content": "..."}"#,
        ));
    };
    let messages = turns
        .iter()
        .enumerate()
        .map(|(at, turn)| message(turn, &format!("messages[{at}]")));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    if !messages
        .iter()
        .any(|message| message.role == Role::Assistant)
    {
        return Err(Fault::new(
            "\"messages\" has no turn of the assistant, so there is nothing to learn",
            r#"add {"role": "assistant", "content": "..."}"#,
        ));
    }
    if messages
        .first()
        .is_some_and(|first| first.role == Role::Assistant)
    {
        return Err(Fault::new(
            "\"messages\" starts with the assistant, which has nothing to answer",
            "put a turn of the user before it",
        ));
    }
    if let Some(at) = messages
        .iter()
        .skip(1)
        .position(|message| message.role == Role::System)
    {
        return Err(Fault::new(
            format!(
                "messages[{}] is a system message inside the conversation",
                at + 1
            ),
            "a system message comes first or not at all",
        ));
    }
    Ok(Example::Chat(messages))
}

fn message(turn: &Value, place: &str) -> Result<Message, Fault> {
    let Value::Object(map) = turn else {
        return Err(Fault::new(
            format!("{place} is {}, not an object", kind(Some(turn))),
            r#"give {"role": "...", "content": "..."}"#,
        ));
    };
    let fields = Fields(
        map.iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    );
    fields.refuse_unknown(&["role", "content"], place)?;
    let name = fields.text("role", place)?;
    let role = ROLES
        .into_iter()
        .find(|role| role.as_str() == name)
        .ok_or_else(|| {
            Fault::new(
                format!("{place} has the role {name:?}"),
                "use one of \"system\", \"user\" and \"assistant\"",
            )
        })?;
    let content = fields.text("content", place)?;
    Ok(Message::new(role, content))
}

/// The members of an object in their order, repeated keys included: `serde_json` would keep the last in silence.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    fn refuse_repeated(&self, place: &str) -> Result<(), Fault> {
        let repeated = |(at, (key, _)): (usize, &(String, Value))| {
            self.0[..at]
                .iter()
                .any(|(earlier, _)| earlier == key)
                .then(|| key.clone())
        };
        match self.0.iter().enumerate().find_map(repeated) {
            Some(key) => Err(Fault::new(
                format!("{}has {key:?} twice", within(place)),
                "keep one of them",
            )),
            None => Ok(()),
        }
    }

    fn refuse_unknown(&self, known: &[&str], place: &str) -> Result<(), Fault> {
        let Some((key, _)) = self
            .0
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()))
        else {
            return Ok(());
        };
        let list: Vec<String> = known.iter().map(|key| format!("{key:?}")).collect();
        let reason = format!("{}has an unknown key {key:?}", within(place));
        Err(Fault::new(
            reason,
            format!("remove or rename it; known keys are {}", list.join(", ")),
        ))
    }

    fn text(&self, key: &str, place: &str) -> Result<String, Fault> {
        let place = within(place);
        match self.get(key) {
            Some(Value::String(text)) if text.trim().is_empty() => Err(Fault::new(
                format!("{place}has an empty {key:?}"),
                "give it some text, or remove the line",
            )),
            Some(Value::String(text)) => Ok(text.clone()),
            None => Err(Fault::new(
                format!("{place}has no {key:?}"),
                format!("add {key:?} with a text"),
            )),
            value => Err(Fault::new(
                format!("{place}has {} as {key:?}, not text", kind(value)),
                format!("put the value of {key:?} in quotes"),
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Fields(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn within(place: &str) -> String {
    if place.is_empty() {
        String::new()
    } else {
        format!("{place} ")
    }
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None | Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}

fn malformed(text: &str, error: &serde_json::Error) -> Fault {
    let start = text.trim_start();
    if error.is_data() {
        return Fault::new("is JSON, but not an object", FORMS);
    }
    // serde_json counts lines inside the text it is given, which is always one here.
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    let reason = format!("is not valid JSON: {cause}, at column {}", error.column());
    let fix = if error.is_eof() && start.starts_with(['{', '[']) {
        "each line is one whole object: write it without line breaks"
    } else if start.starts_with('{') {
        "mind the quotes and commas; a quote inside a text is written \\\" and a line break \\n"
    } else {
        FORMS
    };
    Fault::new(reason, fix)
}
