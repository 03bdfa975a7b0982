//! The wire: typed messages to HTTP requests, HTTP responses to typed messages.

pub(crate) mod api;
pub(crate) mod blocking;
pub(crate) mod codec;
pub mod console;
pub(crate) mod constant;
mod deprecation;
pub(crate) mod extra;
pub(crate) mod lean;
pub(crate) mod manner;
pub(crate) mod request;
mod table;
