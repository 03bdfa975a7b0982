//! Messages of a conversation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json::Json;

/// Author of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The user.
    User,
    /// The model. Its messages are what training learns.
    Assistant,
    /// A role of some templates only, for example `tool`.
    #[serde(untagged)]
    Other(String),
}

impl Role {
    /// The name that templates use.
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Other(role) => role,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call of a tool by the assistant.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ToolCall {
    /// Identifier that the answer of the tool refers to.
    pub id: Option<String>,
    /// Name of the tool.
    pub name: String,
    /// Arguments, an object. Data files that hold them as text are parsed.
    pub arguments: Json,
}

impl ToolCall {
    /// A call without an identifier.
    pub fn new(name: impl Into<String>, arguments: Json) -> Self {
        Self {
            id: None,
            name: name.into(),
            arguments,
        }
    }
}

/// One message of a conversation, in the form of common data sets:
/// `{"role": "user", "content": "Hi"}`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Author of the message.
    pub role: Role,
    /// Text of the message. `None` is JSON's `null`, as beside tool calls.
    pub content: Option<String>,
    /// Reasoning before the answer (`reasoning_content`).
    pub reasoning: Option<String>,
    /// Calls of tools, in order.
    pub tool_calls: Vec<ToolCall>,
    /// For answers of tools: the call that this answers.
    pub tool_call_id: Option<String>,
    /// Name of the author, for example of the tool that answers.
    pub name: Option<String>,
    /// Loss weight of an answer's tokens: 0 for context only, 1 by default.
    pub weight: f32,
}

impl Message {
    /// A message of any role.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: Some(content.into()),
            reasoning: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
            weight: 1.0,
        }
    }

    /// The text of the message; empty if there is none.
    pub fn text(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }

    /// A system message: instructions for the whole conversation.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }

    /// A message of the user.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// A message of the model.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }
}
