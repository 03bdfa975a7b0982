//! Tests of the library as its users call it.

#![expect(clippy::unwrap_used, reason = "a missing value fails the test")]

mod containers;
mod memory;
#[cfg(feature = "parquet")]
mod parquet;
mod published;
