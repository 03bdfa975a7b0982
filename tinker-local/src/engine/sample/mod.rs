//! Sampling: every live sequence of every job advances by one token at a time, all in one batch.

mod draw;
mod job;
mod live;
mod prompt;
mod sampler;
mod scratch;
mod stop;

pub(crate) use sampler::Sampler;
pub use stop::Vocabulary;
