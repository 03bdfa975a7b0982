//! Fixed names and forms of the wire protocol: routes, header names, ids, stream events.
//!
//! Each is defined once, as plain text and plain types; no HTTP library is involved. The paths of a client and the
//! routing table of a server both derive from [`Endpoint::ROUTE`] and [`route`].

mod endpoint;
pub mod header;
mod id;
pub mod route;
pub mod stream;

pub use endpoint::{Endpoint, Method, Operation, RequestType};
pub(crate) use endpoint::{endpoint, tagged, type_tag};
pub use id::{
    LossId, ModelId, RequestId, SEQ_IDS_PER_COPY, SamplingSessionId, SequenceId, SessionId,
};
