//! Training examples, before they are encoded.

use tinker_types::Datum;

use super::prompt::Prompt;
use crate::chat::Conversation;
use crate::json::Json;

/// A training example, before it is encoded.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Example {
    /// Teaches `completion` after `prompt`. Nothing is inserted between them.
    Completion {
        /// The text before.
        prompt: String,
        /// The text to learn.
        completion: String,
    },
    /// Teaches each answer of the assistant after the messages before it.
    Chat(Conversation),
    /// Teaches a whole text and its end.
    Text(String),
    /// Two answers to one prompt, each with the prompt: a [`Completion`](Self::Completion) or a [`Chat`](Self::Chat).
    /// Only the last part of each is to be learned or compared.
    Preference {
        /// The better one.
        chosen: Box<Example>,
        /// The worse one.
        rejected: Box<Example>,
    },
    /// A prompt whose answers are sampled and rewarded.
    Problem {
        /// The prompt.
        prompt: Prompt,
        /// The reference answer, if there is one.
        answer: Option<Json>,
        /// All other columns, for the reward.
        metadata: Vec<(String, Json)>,
    },
    /// An example that is encoded already.
    Tokens(Datum),
}
