//! Source files as tokens, and the modules of a crate.

mod krate;
mod module;
mod source;
mod stripped;
mod tokens;

pub(crate) use krate::{Krate, Target};
pub(crate) use source::{Source, rust_files};
pub(crate) use tokens::Token;

/// The library crates, in the order of their arrows.
pub(crate) const LIBRARIES: [&str; 7] = [
    "tinker-types",
    "tinker-data",
    "tinker-transport",
    "tinker-client",
    "tinker-engine",
    "tinker-local",
    "tinker-train",
];

/// The crate of the `tinker` command.
pub(crate) const COMMAND: &str = "tinker-cli";
