//! The HTTP surface: from a request to an answer.

mod account;
mod answer;
mod audit;
mod billing;
mod body;
mod call;
mod checkpoint;
mod config;
mod dispatch;
mod external;
mod future;
mod loss;
mod model;
mod part;
mod poll;
mod query;
mod refusal;
mod route;
mod run;
mod sampler;
mod sampling;
mod search;
mod session;
mod submit;
mod trace;
mod training;
mod weights;

pub(crate) use dispatch::answer;
pub(crate) use sampling::watched;
