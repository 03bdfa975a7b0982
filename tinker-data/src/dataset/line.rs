//! Parser of one line: a prompt with its completion, or a conversation.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::error::{ErrorKind, LineError};
use super::example::Example;
use crate::chat::{Message, Role};

/// The forms of a line, for error messages.
pub(super) const FORMS: &str = r#"write one JSON object per line, in one of these forms:
      {"prompt": "...", "completion": "..."}
      {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}"#;

/// Roles that data files can have.
const ROLES: [Role; 3] = [Role::System, Role::User, Role::Assistant];

/// Parses a line that is not blank.
pub(super) fn parse(text: &str) -> Result<Example, LineError> {
    let fields: Fields = serde_json::from_str(text).map_err(|error| malformed(text, &error))?;
    fields.refuse_repeated("")?;
    let has = |key: &str| fields.0.iter().any(|(name, _)| name == key);
    if has("messages") {
        if let Some(key) = ["prompt", "completion"].into_iter().find(|key| has(key)) {
            return Err(LineError::new(
                ErrorKind::Value,
                format!("has both \"messages\" and {key:?}"),
                "keep one form: \"messages\" alone, or \"prompt\" with \"completion\"",
            ));
        }
        fields.refuse_unknown(&["messages"], "")?;
        return conversation(fields.get("messages"));
    }
    fields.refuse_unknown(&["prompt", "completion", "messages"], "")?;
    if !has("prompt") && !has("completion") {
        return Err(LineError::new(
            ErrorKind::Value,
            "has no \"prompt\" and no \"messages\"",
            FORMS,
        ));
    }
    let prompt = fields.text("prompt", "")?;
    let completion = fields.text("completion", "")?;
    Ok(Example::Completion { prompt, completion })
}

fn conversation(value: Option<&Value>) -> Result<Example, LineError> {
    let Some(Value::Array(items)) = value else {
        return Err(LineError::new(
            ErrorKind::Value,
            format!("\"messages\" is {}, not a list", kind(value)),
            r#"give a list of objects, each {"role": "...", "content": "..."}"#,
        ));
    };
    let messages = items
        .iter()
        .enumerate()
        .map(|(at, item)| message(item, &format!("messages[{at}] ")));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    if !messages
        .iter()
        .any(|message| message.role == Role::Assistant)
    {
        return Err(LineError::new(
            ErrorKind::Value,
            "\"messages\" has no answer of the assistant, so there is nothing to learn",
            r#"add {"role": "assistant", "content": "..."}"#,
        ));
    }
    if messages
        .first()
        .is_some_and(|first| first.role == Role::Assistant)
    {
        return Err(LineError::new(
            ErrorKind::Value,
            "\"messages\" starts with the assistant, which has nothing to answer",
            "put a message of the user before it",
        ));
    }
    if let Some(at) = messages
        .iter()
        .skip(1)
        .position(|message| message.role == Role::System)
    {
        return Err(LineError::new(
            ErrorKind::Value,
            format!(
                "messages[{}] is a system message inside the conversation",
                at + 1
            ),
            "move the system message to the start, or remove it",
        ));
    }
    Ok(Example::Chat(messages.into()))
}

fn message(item: &Value, prefix: &str) -> Result<Message, LineError> {
    let Value::Object(map) = item else {
        return Err(LineError::new(
            ErrorKind::Value,
            format!("{prefix}is {}, not an object", kind(Some(item))),
            r#"give {"role": "...", "content": "..."}"#,
        ));
    };
    let fields = Fields(
        map.iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    );
    fields.refuse_unknown(&["role", "content"], prefix)?;
    let name = fields.text("role", prefix)?;
    let role = ROLES
        .into_iter()
        .find(|role| role.as_str() == name)
        .ok_or_else(|| {
            LineError::new(
                ErrorKind::Value,
                format!("{prefix}has the role {name:?}"),
                "use one of \"system\", \"user\" and \"assistant\"",
            )
        })?;
    let content = fields.text("content", prefix)?;
    Ok(Message::new(role, content))
}

/// The members of an object in their order, repeated keys included (`serde_json` would keep the last only).
///
/// The `prefix` of errors names the object within the line: `messages[0] `, or nothing for the line itself.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    fn refuse_repeated(&self, prefix: &str) -> Result<(), LineError> {
        let repeated = |(at, (key, _)): (usize, &(String, Value))| {
            self.0[..at]
                .iter()
                .any(|(earlier, _)| earlier == key)
                .then(|| key.clone())
        };
        match self.0.iter().enumerate().find_map(repeated) {
            Some(key) => Err(LineError::new(
                ErrorKind::Value,
                format!("{prefix}has {key:?} twice"),
                "keep one of them",
            )),
            None => Ok(()),
        }
    }

    fn refuse_unknown(&self, known: &[&str], prefix: &str) -> Result<(), LineError> {
        let Some((key, _)) = self
            .0
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()))
        else {
            return Ok(());
        };
        let list: Vec<String> = known.iter().map(|key| format!("{key:?}")).collect();
        let reason = format!("{prefix}has an unknown key {key:?}");
        Err(LineError::new(
            ErrorKind::Value,
            reason,
            format!("remove or rename it; known keys are {}", list.join(", ")),
        ))
    }

    fn text(&self, key: &str, prefix: &str) -> Result<String, LineError> {
        match self.get(key) {
            Some(Value::String(text)) if text.trim().is_empty() => Err(LineError::new(
                ErrorKind::Value,
                format!("{prefix}has an empty {key:?}"),
                "add text, or remove the line",
            )),
            Some(Value::String(text)) => Ok(text.clone()),
            None => Err(LineError::new(
                ErrorKind::Value,
                format!("{prefix}has no {key:?}"),
                format!("add {key:?} with a text"),
            )),
            value => Err(LineError::new(
                ErrorKind::Value,
                format!("{prefix}has {} as {key:?}, not text", kind(value)),
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

fn malformed(text: &str, error: &serde_json::Error) -> LineError {
    let start = text.trim_start();
    if error.is_data() {
        return LineError::new(ErrorKind::Value, "is JSON, but not an object", FORMS);
    }
    // The line number of serde_json is always 1 here.
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    let reason = format!("is not valid JSON: {cause}, at column {}", error.column());
    let fix = if error.is_eof() && start.starts_with(['{', '[']) {
        "write the whole object on one line, without line breaks"
    } else if start.starts_with('{') {
        "check the quotes and commas; within a text, write a quote as \\\" and a line break as \\n"
    } else {
        FORMS
    };
    LineError::new(ErrorKind::Value, reason, fix)
}
