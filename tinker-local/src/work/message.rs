//! Messages to the engine's thread.

use std::sync::Arc;

use tinker_types::{RequestId, SessionId};
use tracing::Span;

use super::watch::Watch;
use crate::convert::Report;
use crate::state::{PromiseWriter, Weights};
use crate::usage::Ledger;
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
    pub(crate) report: Report,
    /// Counts the tokens for the session.
    pub(crate) usage: Arc<Ledger>,
    pub(crate) session: SessionId,
    pub(crate) promise: PromiseWriter,
    /// Dropped after `promise`, so that the outcome is known when it is gone.
    pub(crate) watch: Option<Watch>,
    pub(crate) span: Span,
}
