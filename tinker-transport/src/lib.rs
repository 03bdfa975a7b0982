//! tinker-transport
