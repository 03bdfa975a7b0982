//! What is told of a sample while it is drawn.

use tinker_types::{SampleResponse, StopReason};

/// What is told of a sample while it is drawn.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SampleEvent {
    /// Tokens of one sequence, which follow those told before.
    #[non_exhaustive]
    Tokens {
        /// Number of the sequence within the response, from 0.
        sequence: usize,
        /// Token ids.
        tokens: Vec<u32>,
        /// Their log probabilities, as far as the server gives them.
        logprobs: Vec<f32>,
        /// Why the sequence ended, if these are its last tokens and the server reports it.
        stop_reason: Option<StopReason>,
    },
    /// All of it once more, with what was asked about the prompt. The last event.
    Done(Box<SampleResponse>),
}
