//! Events of a run.

use tinker_client::CheckpointPath;

use crate::row::StepRow;

/// A sample of a batch, for people.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sampled {
    /// The prompt.
    pub prompt: String,
    /// The answer of the model.
    pub answer: String,
    /// Its reward.
    pub reward: f64,
}

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
    /// The first sample of a step that samples, before it is trained on.
    Sampled {
        /// Number of the step, from 1.
        step: usize,
        /// The sample.
        sample: Sampled,
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
