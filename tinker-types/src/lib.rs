//! tinker-types
