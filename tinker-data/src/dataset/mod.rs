//! Data files: rows in several formats and containers, and their encoding as datums.

mod container;
mod convert;
mod encode;
mod encoded_counts;
mod error;
mod errors;
mod example;
mod fields;
mod files;
mod fingerprint;
mod format;
mod index;
mod length;
mod map;
mod mix;
mod notes;
mod options;
mod parallel;
mod parse;
mod place;
mod prompt;
mod question;
mod reader;
mod record;
mod row;
mod rows;
mod sequences;
mod span;
mod split;
mod spool;
mod survey;
mod value_error;
mod write;

pub use encode::{EncodedDataset, EncodedLine, datums};
pub use encoded_counts::{EncodedCounts, FoundLines};
pub use error::{DatasetError, ErrorKind, LineError};
pub use example::Example;
pub use files::{matching, open_file};
pub use format::{Format, UnknownFormat};
pub use index::Index;
pub use length::LengthLimit;
pub use notes::Notes;
pub use options::ReadOptions;
pub use prompt::Prompt;
pub use question::{EncodedQuestions, Question};
pub use reader::Dataset;
pub use row::Row;
pub use rows::Rows;
pub use sequences::Sequences;
pub use span::Span;
pub use split::held_out;
pub use survey::{Counts, Survey};

#[cfg(test)]
mod tests;
