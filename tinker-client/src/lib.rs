//! tinker-client
