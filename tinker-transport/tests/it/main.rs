//! Integration tests of the public API: user layers and real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[cfg(feature = "network")]
mod certificate;
#[cfg(feature = "network")]
mod connections;
mod dropping;
mod examples;
mod exchange;
#[cfg(feature = "network")]
mod go_away;
mod layers;
#[cfg(feature = "network")]
mod leaf;
mod opt_in;
// Proxies of SOCKS are those of the default leaf only.
#[cfg(feature = "network")]
mod proxies;
mod redirects;
mod secrets;
#[cfg(feature = "network")]
mod server;
#[cfg(feature = "network")]
mod tls;
#[cfg(feature = "network")]
mod wire;
