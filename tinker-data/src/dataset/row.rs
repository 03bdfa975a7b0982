//! Examples with their place.

use std::path::Path;
use std::sync::Arc;

use super::example::Example;

/// An example and its place in a data file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The file.
    pub path: Arc<Path>,
    /// Line number, from 1; in a Parquet file the number of the row.
    pub line: usize,
    /// The example.
    pub example: Example,
}
