#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod account;
mod checkpoint;
mod data;
mod error;
mod metadata;
mod page;
mod promise;
mod sampling;
mod session;
mod setters;
mod time;
mod training;
pub mod wire;

#[cfg(feature = "proto")]
pub mod proto;
#[cfg(feature = "schema")]
pub mod schema;

pub use account::*;
pub use checkpoint::*;
pub use data::*;
pub use error::InvalidValue;
pub use page::{AccessScope, Cursor};
pub use promise::*;
pub use sampling::*;
pub use session::*;
pub use training::*;
pub use wire::endpoint::{Endpoint, Method, Operation, RequestType};
pub use wire::id::{LossId, ModelId, RequestId, SamplingSessionId, SequenceId, SessionId};
