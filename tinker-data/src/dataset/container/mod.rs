//! Containers of rows: lines, arrays and tables, compressed or not.

mod array;
mod compression;
mod head;
mod lines;
mod parquet;
mod position;
mod records;
mod source;
mod table;

pub(super) use position::Position;
pub(super) use records::{Record, Records};
pub(super) use source::open;
