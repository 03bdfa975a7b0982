//! A server for tests of training loops: typed answers, scripted failures, a record of what was sent.
//!
//! It computes nothing. For a loop that has to learn, use the embedded engine
//! ([`ServiceClientBuilder::leaf`](crate::ServiceClientBuilder::leaf)); it needs no port either.

mod default;
mod script;
mod server;

pub use script::Failure;
pub use server::{MockServer, Received};
