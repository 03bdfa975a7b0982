#![doc = include_str!("../README.md")]

mod chat;
mod dataset;
mod error;
mod json;
#[cfg(any(feature = "templates", feature = "tokenizers"))]
mod model_file;
mod model_folder;
mod tokenizer;

pub use chat::{
    Conversation, EncodedExample, Learn, Message, Renderer, Role, Rule, Template, ToolCall,
    without_empty_thought,
};
pub use dataset::{
    Dataset, DatasetError, EncodedDataset, EncodedQuestions, ErrorKind, Example, LengthLimit,
    LineError, Prompt, Question, Row, datums,
};
pub use error::ChatError;
pub use json::Json;
pub use tokenizer::{ByteTokenizer, Tokenizer};
