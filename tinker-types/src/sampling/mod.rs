//! Sampling: parameters, requests and sampled sequences.

mod params;
mod sample;
mod sequence;

pub use params::{SamplingParams, Stop};
pub use sample::{AltTokens, SampleRequest, SampleResponse};
pub use sequence::{SampledSequence, StopReason, TokenLogprob};
