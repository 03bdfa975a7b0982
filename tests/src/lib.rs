//! What tests, commands and fuzz targets share. The tests live in `it/`, and the README's program is run as a doctest.

pub mod decoder;
pub mod load;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
