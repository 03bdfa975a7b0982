//! Fixed names and forms of the wire protocol: routes, header names, ids, stream events.
//!
//! Each is defined once, as plain text and plain types; no HTTP library is involved. The paths of a client and the
//! routing table of a server both derive from [`Endpoint::ROUTE`](crate::Endpoint::ROUTE) and [`route`].

pub(crate) mod endpoint;
pub mod header;
pub(crate) mod id;
pub mod route;
pub mod stream;

pub use id::SEQ_IDS_PER_COPY;

pub(crate) use endpoint::{endpoint, tagged, type_tag};
