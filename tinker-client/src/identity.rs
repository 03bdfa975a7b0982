//! Who we say we are.

/// The protocol version this client speaks: that of the official Python SDK of this number.
/// Servers may gate on it, so it is what `sdk_version` fields carry; the `User-Agent` is our own.
pub const PROTOCOL_VERSION: &str = "0.38.0";
