#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod chat;
mod dataset;
mod error;
mod hashing;
mod json;
#[cfg(any(feature = "templates", feature = "tokenizers"))]
mod model_file;
#[cfg(any(feature = "templates", feature = "tokenizers"))]
mod model_folder;
mod tokenizer;

pub use chat::{
    Conversation, EncodedAnswer, EncodedExample, Learn, Message, Rendered, Renderer, Role, Rule,
    Template, ToolCall, without_empty_thought,
};
pub use dataset::{
    Counts, Dataset, DatasetError, EncodedCounts, EncodedDataset, EncodedLine, EncodedQuestions,
    ErrorKind, Example, Format, FoundLines, Index, LengthLimit, LineError, Notes, Prompt, Question,
    ReadOptions, Row, Rows, Sequences, Shuffle, Span, Survey, UnknownFormat, datums, matching,
    open_file,
};
pub use error::ChatError;
pub use json::Json;
pub use tinker_types::Datum;
pub use tokenizer::{ByteTokenizer, Tokenizer};
