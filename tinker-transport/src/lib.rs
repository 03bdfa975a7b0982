#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod clock;
mod credential;
mod error;
mod flow;
#[cfg(feature = "leaf")]
mod leaf;
mod mutex;
mod observe;
mod request;
mod service;
mod stack;

pub mod layer;
pub mod policy;
pub mod testing;

#[cfg(test)]
mod fixture;

pub use body::Body;
pub use credential::{
    ApiKey, Command, Credential, CredentialError, CredentialFuture, Exchange, Token,
};
pub use error::{BoxError, Kind, Stage, TransportError};
pub use flow::class::{Class, PerClass};
pub use flow::gate::Gate;
pub use flow::limits::ClassLimits;
#[cfg(feature = "network")]
pub use leaf::Network;
#[cfg(feature = "reqwest")]
pub use leaf::ReqwestNetwork;
#[cfg(feature = "leaf")]
pub use leaf::system_proxy;
pub use observe::event::{BreakerChange, End, Event, GateChange, Observation};
pub use observe::logger::Logger;
pub use observe::metrics::{Latency, Metrics, OperationCounts, Prometheus, Snapshot};
pub use observe::observer::{Observer, ObserverList, Observers};
pub use request::base_url::BaseUrl;
pub use request::call::{Billing, Call, Compression};
pub use request::replay::Replay;
pub use request::watcher::{AttemptWatcher, FailedAttempt};
pub use service::{AnyHttpService, HttpService, ResponseFuture};
pub use stack::builder::TransportBuilder;
pub use stack::config::TransportConfig;
pub use stack::identity::ClientCertificate;
pub use stack::proxy::{Proxy, without_user};
pub use stack::transport::Transport;
