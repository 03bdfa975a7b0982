//! Messages to the engine's thread.

use tinker_types::RequestId;
use tracing::Span;

use super::reply::Reply;
use crate::state::Weights;
use tinker_engine::backend::{Backend, SampleJob};

/// Queue of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Short tasks that a request waits for: they go first.
    Front,
    /// Training operations: in the order they came, alternating with sampling.
    Training,
}

/// Work that needs the model.
pub(super) type Task = Box<dyn FnOnce(&mut dyn Backend) + Send>;

/// A message to the thread.
pub(super) enum Message {
    Task {
        queue: Queue,
        span: Span,
        task: Task,
    },
    Sample(Box<Sampling>),
    Cancel(RequestId),
    /// Makes the thread check the stop flag.
    Wake,
}

/// A queued sampling request.
#[derive(Debug)]
pub(crate) struct Sampling {
    /// The job; its weights are replaced by the current ones of `weights` when it starts.
    pub(crate) job: SampleJob,
    pub(crate) weights: Weights,
    pub(crate) reply: Reply,
}

impl Sampling {
    /// Whether there is memory for its weights beside those that are in use.
    pub(super) fn has_room(&self) -> bool {
        self.weights.current().is_none_or(|kept| kept.has_room())
    }
}
