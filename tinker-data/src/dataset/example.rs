//! Training examples as text.

use crate::chat::Conversation;

/// A training example as text.
#[derive(Debug, Clone, PartialEq)]
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
}

/// An example and its line in the data file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line number, from 1.
    pub line: usize,
    /// The example.
    pub example: Example,
}
