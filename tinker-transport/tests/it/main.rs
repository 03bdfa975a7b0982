//! Integration tests of the public API: user layers and real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[cfg(feature = "reqwest")]
mod certificate;
mod dropping;
mod examples;
mod exchange;
#[cfg(feature = "reqwest")]
mod go_away;
mod layers;
mod opt_in;
mod secrets;
#[cfg(feature = "reqwest")]
mod server;
#[cfg(feature = "reqwest")]
mod tls;
#[cfg(feature = "reqwest")]
mod wire;
