//! Holds no code of its own: the tests live in `it/`.
