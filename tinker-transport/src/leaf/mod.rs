//! Network leaf.

mod failure;
mod http2;
mod pool;
mod proxy;
mod reqwest;
mod tls;

pub use self::failure::system_proxy;
pub use self::reqwest::Network;
