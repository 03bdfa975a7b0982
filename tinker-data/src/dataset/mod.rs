//! Data files: one JSON object per line, checked completely before any of it is used.

mod encode;
mod error;
mod example;
mod line;
mod prompt;
mod question;
mod reader;
mod row;

pub use encode::{EncodedDataset, LengthLimit, datums};
pub use error::{DatasetError, ErrorKind, LineError};
pub use example::Example;
pub use prompt::Prompt;
pub use question::{EncodedQuestions, Question};
pub use reader::Dataset;
pub use row::Row;

#[cfg(test)]
mod tests;
