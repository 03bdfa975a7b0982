//! Sampling: all running sequences of all jobs advance by one token at a time, in one batch.

mod admit;
mod draw;
mod fill;
mod job;
mod live;
mod measure;
mod prefix;
mod prompt;
mod sampler;
mod scratch;
mod stop;

pub(crate) use job::cache_bytes;
pub(crate) use sampler::{Sampler, SamplerBounds};
