//! Formats of rows: which columns they have, and the examples that the columns make.

mod alpaca;
mod chat;
mod content;
mod glaive;
mod kind;
mod learned;
mod message;
mod plain;
mod preference;
mod problem;
mod read;
mod sharegpt;
mod tokens;
mod tool;

pub use kind::{Format, UnknownFormat};
pub(super) use read::{Reader, forms};
