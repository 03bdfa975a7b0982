//! HTTP interface: handlers decode a request, call an operation and encode the response.

mod account;
mod audit;
mod billing;
mod body;
mod call;
mod checkpoint;
mod config;
mod credential;
mod dispatch;
mod external;
mod found;
mod future;
mod head;
mod model;
mod null;
mod part;
mod poll;
#[cfg(feature = "decoders")]
mod probe;
mod query;
mod response;
mod route;
mod run;
mod sampling;
mod search;
mod session;
mod tarball;
mod target;
mod trace;
mod training;
mod upload;
mod weights;

#[cfg(feature = "decoders")]
pub(crate) use body::{decompress, json as read_json};
pub(crate) use dispatch::respond;
#[cfg(feature = "decoders")]
pub(crate) use probe::look_up;
pub(crate) use sampling::watched;
