//! Network leaf.

mod http2;
mod pool;
mod reqwest;
mod tls;

pub use self::reqwest::Network;
