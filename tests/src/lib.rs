//! Code shared by tests, commands and fuzz targets. The tests are in `it/`; the programs of the README and of
//! docs/patterns.md run as doctests.

pub mod decoder;
pub mod executed;
pub mod load;
pub mod soak;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The guide: every Rust block of its pages.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../docs/book/first-run.md")]
    struct FirstRun;
    #[doc = include_str!("../../docs/book/data.md")]
    struct Data;
    #[doc = include_str!("../../docs/book/loop.md")]
    struct Loop;
    #[doc = include_str!("../../docs/book/rl.md")]
    struct Rl;
    #[doc = include_str!("../../docs/book/losses.md")]
    struct Losses;
    #[doc = include_str!("../../docs/book/waiting.md")]
    struct Waiting;
    #[doc = include_str!("../../docs/book/observability.md")]
    struct Observability;
    #[doc = include_str!("../../docs/book/layers.md")]
    struct Layers;
    #[doc = include_str!("../../docs/book/servers.md")]
    struct Servers;
    #[doc = include_str!("../../docs/book/engine.md")]
    struct Engine;
    #[doc = include_str!("../../docs/book/testing.md")]
    struct Testing;
    #[doc = include_str!("../../docs/book/python.md")]
    struct Python;
    #[doc = include_str!("../../docs/book/tinkex.md")]
    struct Tinkex;
    #[doc = include_str!("../../docs/book/performance.md")]
    struct Performance;
}

#[cfg(doctest)]
#[doc = include_str!("../../docs/patterns.md")]
struct Patterns;
