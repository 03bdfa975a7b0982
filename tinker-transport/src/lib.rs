#![doc = include_str!("../README.md")]

mod aimd;
mod backoff;
mod base_url;
mod body;
mod builder;
mod call;
mod circuit;
mod class;
mod clock;
mod config;
mod credential;
mod disposition;
mod effort;
mod error;
mod event;
mod gate;
mod hint;
mod idempotency;
mod leaf;
mod limits;
mod logger;
mod metrics;
mod observer;
mod service;
mod spare;
mod stack;
mod transport;

pub mod layer;
pub mod policy;
mod replay;
pub mod testing;

#[cfg(test)]
mod fixture;

pub use base_url::BaseUrl;
pub use body::Body;
pub use builder::TransportBuilder;
pub use call::{Billing, Call, Compression};
pub use class::{Class, PerClass};
pub use config::TransportConfig;
pub use credential::{
    ApiKey, Command, Credential, CredentialError, CredentialFuture, Exchange, Token,
};
pub use disposition::{Disposition, Outcome};
pub use effort::Effort;
pub use error::{BoxError, Kind, Stage, TransportError};
pub use event::{BreakerChange, End, Event, GateChange, Observation};
pub use gate::Gate;
#[cfg(feature = "reqwest")]
pub use leaf::Network;
pub use limits::ClassLimits;
pub use logger::Logger;
pub use metrics::{Latency, Metrics, OperationCounts, Prometheus, Snapshot};
pub use observer::{Observer, ObserverList, Observers};
pub use policy::Policy;
pub use replay::Replay;
pub use service::{HttpService, ResponseFuture};
pub use transport::Transport;
