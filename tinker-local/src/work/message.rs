//! What the engine's thread is given to do.

use std::sync::Arc;

use tinker_types::{RequestId, SessionId};
use tracing::Span;

use super::watch::Watch;
use crate::backend::{Backend, SampleJob};
use crate::convert::Report;
use crate::state::{PromiseWriter, Weights};
use crate::usage::Ledger;

/// Which queue of the worker a task stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Short tasks that somebody waits for: they go first.
    Front,
    /// Training operations: in the order they came, alternating with sampling.
    Training,
}

/// Work of some kind that needs the model.
pub(super) type Task = Box<dyn FnOnce(&mut dyn Backend) + Send>;

/// One of the things the thread is told.
pub(super) enum Message {
    Task {
        lane: Lane,
        span: Span,
        task: Task,
    },
    Sample(Box<Sampling>),
    Cancel(RequestId),
    /// Look at the stop flag.
    Wake,
}

/// A sampling request on its way to the engine.
#[derive(Debug)]
pub(crate) struct Sampling {
    /// The job; its weights are replaced by the current ones of `weights` when it starts.
    pub(crate) job: SampleJob,
    pub(crate) weights: Weights,
    pub(crate) report: Report,
    /// Where the tokens are counted, and for whom.
    pub(crate) usage: Arc<Ledger>,
    pub(crate) session: SessionId,
    pub(crate) promise: PromiseWriter,
    /// Dropped after `promise`: when it is gone the outcome is known.
    pub(crate) watch: Option<Watch>,
    pub(crate) span: Span,
}
