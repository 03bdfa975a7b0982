//! Holds no code of its own: the tests live in `it/`, and the README's program is run as a doctest.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
