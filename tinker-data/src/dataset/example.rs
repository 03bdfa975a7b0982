//! Training examples as text.

use crate::chat::Message;

/// A training example as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Example {
    /// Teaches `completion` after `prompt`. Nothing is inserted between them.
    Completion {
        /// The text before.
        prompt: String,
        /// The text to learn.
        completion: String,
    },
    /// Teaches each answer of the assistant after the messages before it.
    Chat(Vec<Message>),
}

/// An example and its line in the data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line number, from 1.
    pub line: usize,
    /// The example.
    pub example: Example,
}
