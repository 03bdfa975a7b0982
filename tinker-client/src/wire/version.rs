//! Protocol version.

/// The protocol version of this client: the version of the official Python SDK that it matches.
///
/// Sent in `sdk_version` fields and in a header, because servers may gate features on it. The `User-Agent` names this
/// crate.
pub const PROTOCOL_VERSION: &str = "0.38.0";
