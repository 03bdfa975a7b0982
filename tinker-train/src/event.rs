//! Events of a run.

use tinker_client::CheckpointPath;

use crate::row::StepRow;

/// Event of a run, in order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TrainEvent {
    /// A step takes longer than a second. Repeated each second.
    Waiting {
        /// Number of the step, from 1.
        step: usize,
        /// The thing that it waits for, in words.
        what: String,
    },
    /// A step is done and recorded.
    Step(StepRow),
    /// A checkpoint is saved and recorded.
    Saved {
        /// Number of steps in it.
        step: usize,
        /// Its path.
        path: CheckpointPath,
    },
    /// Something unexpected that does not end the run.
    Note(String),
}
