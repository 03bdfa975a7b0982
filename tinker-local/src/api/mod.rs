//! The HTTP surface: from a request to an answer.

mod answer;
mod body;
mod checkpoint;
mod config;
mod dispatch;
mod future;
mod model;
mod refusal;
mod route;
mod sampler;
mod sampling;
mod session;
mod submit;
mod training;
mod weights;

pub(crate) use dispatch::answer;
