//! Code shared by tests, commands and fuzz targets. The tests are in `it/`; the README's program runs as a doctest.

pub mod decoder;
pub mod load;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
