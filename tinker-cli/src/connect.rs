//! Destinations of a command: a server, or the engine inside this program.

mod args;
mod connection;
mod destination;
#[cfg(feature = "local")]
pub(crate) mod engine;
mod narrator;
mod tokenizer;

#[cfg(feature = "local")]
pub(crate) use args::EngineArgs;
pub(crate) use args::{BUILT_IN_MODEL, DestinationArgs};
pub(crate) use connection::Connection;
pub(crate) use destination::Destination;
pub(crate) use tokenizer::from_files as renderer_of_files;
