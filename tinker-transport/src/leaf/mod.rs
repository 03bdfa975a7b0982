//! Network leaf.

#[cfg(feature = "reqwest")]
mod http2;
#[cfg(feature = "reqwest")]
mod pool;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "reqwest")]
mod tls;

#[cfg(feature = "reqwest")]
pub use self::reqwest::Network;
