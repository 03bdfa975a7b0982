//! Settings of the loop.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tinker_client::AdamParams;

use crate::budget::Budget;
use crate::error::TrainError;
use crate::schedule::Schedule;

/// Settings of the loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settings {
    /// Number of steps, those of an earlier run included.
    pub steps: usize,
    /// Learning rate of each step.
    pub schedule: Schedule,
    /// Optimizer; its learning rate is set by the schedule.
    pub adam: AdamParams,
    /// Number of steps in flight, at least 1. Default 2: one that is computed and one that waits for it. A recipe that samples
    /// has 1.
    pub in_flight: usize,
    /// Number of batches whose gradients are added before an update, at least 1. Default 1.
    pub accumulate: usize,
    /// Evaluate every this many steps. Default: only the caller evaluates.
    pub eval_every: Option<usize>,
    /// Save a checkpoint every this many steps. Default: only at the end.
    pub save_every: Option<usize>,
    /// Number of checkpoints to keep; older ones are removed once a newer one is recorded. Default: all. The best and the
    /// last are kept.
    pub keep: Option<usize>,
    /// Life of the checkpoints on the way. Default: no end. The last one has no end.
    pub life: Option<Duration>,
    /// Keep the checkpoint with the best value of a metric. Default: none.
    pub best: Option<Best>,
    /// Stop when that metric no longer improves. Needs [`Self::best`].
    pub patience: Option<Patience>,
    /// Bound on time, tokens or price. Default: none.
    pub budget: Option<Budget>,
    /// Name of the last checkpoint. Default `final`.
    pub name: String,
}

/// The metric of an evaluation by which checkpoints are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Best {
    /// Its name.
    pub metric: String,
    /// Whether a larger value is better.
    pub larger: bool,
}

/// Rule of early stopping.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Patience {
    /// Number of evaluations without an improvement after which the run stops.
    pub evaluations: usize,
    /// Smallest change that counts as an improvement.
    pub least_change: f64,
    /// Number of steps in which the run does not stop.
    pub warm_up: usize,
}

impl Settings {
    /// The defaults for a number of steps and a peak of the learning rate.
    pub fn new(steps: usize, learning_rate: f64) -> Self {
        Self {
            steps,
            schedule: Schedule::new(learning_rate),
            adam: AdamParams::new(learning_rate),
            in_flight: 2,
            accumulate: 1,
            eval_every: None,
            save_every: None,
            keep: None,
            life: None,
            best: None,
            patience: None,
            budget: None,
            name: "final".to_owned(),
        }
    }

    /// Sets [`Self::save_every`].
    #[must_use]
    pub fn with_save_every(mut self, steps: usize) -> Self {
        self.save_every = Some(steps);
        self
    }

    /// Sets [`Self::eval_every`].
    #[must_use]
    pub fn with_eval_every(mut self, steps: usize) -> Self {
        self.eval_every = Some(steps);
        self
    }

    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let refuse = |what: &str| Err(TrainError::Refused(what.to_owned()));
        if self.in_flight == 0 || self.accumulate == 0 {
            return refuse("in_flight and accumulate are at least 1");
        }
        if [self.eval_every, self.save_every, self.keep].contains(&Some(0)) {
            return refuse("eval_every, save_every and keep are at least 1");
        }
        if self.patience.is_some() && self.best.is_none() {
            return refuse("patience needs a metric; set best");
        }
        if self.best.is_some() && self.eval_every.is_none() {
            return refuse("the best checkpoint needs evaluations; set eval_every");
        }
        self.adam
            .check()
            .map_err(|error| TrainError::Refused(format!("adam: {error}")))
    }
}

/// Name of the checkpoint after `done` steps.
pub fn checkpoint_name(done: usize) -> String {
    format!("step-{done:06}")
}
