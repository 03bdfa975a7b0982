//! Promises: accepted operations, their results and their errors.

mod error_body;
mod poll;
mod retrieve;
mod submitted;

pub use error_body::{ErrorBody, ErrorCategory};
pub use poll::{
    Completion, Completions, JoinSamplingSession, PollTarget, RetrieveFutures,
    SamplingSessionJoined,
};
pub use retrieve::{CancelFuture, QueueState, QueueStatus, RetrieveFuture, Retrieved};
pub use submitted::Submitted;
