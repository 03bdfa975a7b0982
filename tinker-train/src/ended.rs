//! The end of a run.

use tinker_client::CheckpointPath;

/// The reason why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// All steps are done.
    Finished,
    /// The metric no longer improved.
    NoImprovement,
    /// The caller stopped the run.
    Stopped,
    /// The budget is used up.
    OutOfBudget,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// Reason.
    pub reason: EndReason,
    /// Number of steps done, those of an earlier run included.
    pub steps: usize,
    /// The last checkpoint; `None` if the run was stopped before its first step.
    pub checkpoint: Option<CheckpointPath>,
    /// A checkpoint to sample from; `None` if the run was stopped or is out of budget.
    pub sampler: Option<CheckpointPath>,
    /// Step and path of the best checkpoint, if [`Settings::best`](crate::Settings::best) is set and the checkpoint was saved.
    pub best: Option<(usize, CheckpointPath)>,
}
