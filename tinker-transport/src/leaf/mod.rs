//! Network leaf.

mod client;
#[cfg(feature = "network")]
mod connector;
mod failure;
#[cfg(feature = "network")]
mod http1;
#[cfg(feature = "network")]
mod http2;
mod http2_servers;
#[cfg(feature = "network")]
mod hyper;
#[cfg(feature = "network")]
mod link;
mod network;
mod pool;
mod proxy;
#[cfg(feature = "network")]
mod reading;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "network")]
mod server;
#[cfg(feature = "network")]
mod stream;
mod tls;

pub use self::failure::system_proxy;
#[cfg(feature = "network")]
pub use self::hyper::Network;
#[cfg(feature = "reqwest")]
pub use self::reqwest::ReqwestNetwork;
