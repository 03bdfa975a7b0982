//! Formats of data files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The columns of a data file and their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// `prompt` and `completion`: texts, or lists of messages.
    PromptCompletion,
    /// `messages` with `role` and `content`; `tools` beside.
    Chat,
    /// `conversations` with `from` and `value`; `system` and `tools` beside.
    #[serde(rename = "sharegpt")]
    ShareGpt,
    /// `instruction`, `input` and `output`; `history` and `system` beside.
    Alpaca,
    /// `system` and `chat`, texts with the speakers `USER:`, `ASSISTANT:` and `FUNCTION RESPONSE:`.
    Glaive,
    /// `question` and `answer`.
    QuestionAnswer,
    /// `text`, learned as a whole.
    Text,
    /// `prompt`, `chosen` and `rejected`, or the latter two with a common beginning.
    Preference,
    /// `prompt` or `messages`, with `answer` and anything else for the reward.
    Rl,
    /// `tokens` with `weights`, `input_ids` with `labels`, or the JSON of a datum.
    Tokens,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 10] = [
        Self::PromptCompletion,
        Self::Chat,
        Self::ShareGpt,
        Self::Alpaca,
        Self::Glaive,
        Self::QuestionAnswer,
        Self::Text,
        Self::Preference,
        Self::Rl,
        Self::Tokens,
    ];

    /// Name on the command line: `prompt-completion`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PromptCompletion => "prompt-completion",
            Self::Chat => "chat",
            Self::ShareGpt => "sharegpt",
            Self::Alpaca => "alpaca",
            Self::Glaive => "glaive",
            Self::QuestionAnswer => "question-answer",
            Self::Text => "text",
            Self::Preference => "preference",
            Self::Rl => "rl",
            Self::Tokens => "tokens",
        }
    }

    /// One row of the format, as an example.
    pub(crate) fn sample(self) -> &'static str {
        match self {
            Self::PromptCompletion => r#"{"prompt": "...", "completion": "..."}"#,
            Self::Chat => {
                r#"{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}"#
            }
            Self::ShareGpt => {
                r#"{"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}]}"#
            }
            Self::Alpaca => r#"{"instruction": "...", "input": "...", "output": "..."}"#,
            Self::Glaive => r#"{"system": "SYSTEM: ...", "chat": "USER: ...\n\n\nASSISTANT: ..."}"#,
            Self::QuestionAnswer => r#"{"question": "...", "answer": "..."}"#,
            Self::Text => r#"{"text": "..."}"#,
            Self::Preference => r#"{"prompt": "...", "chosen": "...", "rejected": "..."}"#,
            Self::Rl => r#"{"prompt": "...", "answer": "..."}"#,
            Self::Tokens => r#"{"tokens": [1, 2], "weights": [0, 1]}"#,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A format name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Format::ALL.map(Format::as_str).join(", ");
        write!(f, "no format is called {:?}; use one of {names}", self.0)
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}
