//! Data files: one JSON object per line, checked completely before any of it is used.

mod encode;
mod error;
mod example;
mod line;
mod question;
mod reader;

pub use encode::{EncodedDataset, EncodedExample, LengthLimit, datums};
pub use error::{DatasetError, LineError};
pub use example::{Example, Row};
pub use question::{EncodedQuestions, Prompt, Question};
pub use reader::Dataset;

#[cfg(test)]
mod tests;
