//! Network leaf.

mod client;
#[cfg(feature = "network")]
mod connector;
mod failure;
#[cfg(feature = "network")]
mod http1;
mod http2;
#[cfg(feature = "network")]
mod hyper;
mod network;
mod pool;
mod proxy;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "network")]
mod stream;
mod tls;

pub use self::failure::system_proxy;
#[cfg(feature = "network")]
pub use self::hyper::Network;
#[cfg(feature = "reqwest")]
pub use self::reqwest::ReqwestNetwork;
