//! The session with a server: shared state, connection, flags, heartbeat.

pub(crate) mod ask;
pub(crate) mod cancel;
pub(crate) mod connection;
pub(crate) mod delegated;
pub(crate) mod flags;
pub(crate) mod form;
pub(crate) mod heartbeat;
pub(crate) mod learned;
pub(crate) mod lease;
pub(crate) mod lost;
pub(crate) mod memory;
pub(crate) mod record;
pub(crate) mod source;
pub(crate) mod state;
