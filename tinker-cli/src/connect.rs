//! Destinations of a command: a server, or the engine inside this program.

mod args;
mod connection;
mod destination;
#[cfg(feature = "local")]
pub(crate) mod engine;
mod narrator;
mod outage;
pub(crate) mod reference;
mod server;
mod server_or_engine;
mod service;
mod template;
mod tokenizer;

#[cfg(feature = "local")]
pub(crate) use args::EngineArgs;
pub(crate) use args::{BUILT_IN_MODEL, DestinationArgs, ServerArgs};
pub(crate) use connection::Connection;
pub(crate) use destination::{Destination, ENGINE_OPTIONS};
pub(crate) use server::Server;
pub(crate) use server_or_engine::ServerOrEngine;
pub(crate) use service::ServiceArgs;
pub(crate) use template::{TemplateArgs, WITHOUT_MESSAGES};
pub(crate) use tokenizer::find as find_tokenizer;
#[cfg(feature = "local")]
pub(crate) use tokenizer::from_files as renderer_of_files;
pub(crate) use tokenizer::named as renderer_of_name;
