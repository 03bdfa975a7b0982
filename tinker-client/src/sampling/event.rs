//! Events of a token stream.

use tinker_types::{SampleResponse, StopReason};

/// An event of a token stream.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SampleEvent {
    /// Tokens of one sequence, following those of earlier events.
    #[non_exhaustive]
    Tokens {
        /// Index of the sequence in the response.
        sequence: usize,
        /// Token ids.
        tokens: Vec<u32>,
        /// Log probabilities of the tokens, as far as the server sends them.
        logprobs: Vec<f32>,
        /// Why the sequence ended, if these are its last tokens and the server reports it.
        stop_reason: Option<StopReason>,
    },
    /// The complete response, including requested data about the prompt. The last event.
    Done(Box<SampleResponse>),
}
